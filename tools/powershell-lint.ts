// Holds the scripts of runbooks/windows/ against what Windows PowerShell 5.1 understands and against the house rules for scripts.
// The grammar is tree-sitter-powershell's, which is that of 5.1: it refuses `??` and `? :`. The rules name what else 5.1 lacks or
// does otherwise than PowerShell 7. `node tools/powershell-lint.ts` lints all scripts.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Language, Parser, type Node } from 'web-tree-sitter';
import { windowsScripts, withSharedParts } from './copy-common.ts';

/** Cmdlets that Windows PowerShell 5.1 has not. */
const NOT_IN_51 =
  'convertfrom-markdown enable-experimentalfeature get-error get-experimentalfeature get-uptime join-string remove-alias ' +
  'remove-service show-markdown start-threadjob switch-process test-json';
/** Cmdlets that PowerShell 7 has not. */
const NOT_IN_7 = 'get-wmiobject invoke-wmimethod set-wmiinstance get-eventlog clear-eventlog new-webserviceproxy';
/** Cmdlets whose output is text for people, or that ask people. */
const FOR_PEOPLE =
  'format-table format-list format-wide format-custom out-string out-host write-host write-progress write-error ' +
  'write-warning read-host get-credential';
const PARAMETERS_NOT_IN_51: Readonly<Record<string, readonly string[]>> = {
  'foreach-object': ['-parallel', '-throttlelimit'],
  'convertfrom-json': ['-ashashtable', '-depth', '-noenumerate', '-datekind'],
  'convertto-json': ['-asarray', '-enumsasstrings', '-escapehandling'],
  'get-date': ['-asutc', '-unixtimeseconds'],
  'get-content': ['-asbytestream'],
  'set-content': ['-asbytestream'],
  'split-path': ['-leafbase', '-extension'],
  'sort-object': ['-top', '-bottom', '-stable'],
  'where-object': ['-not'],
  'measure-object': ['-allstats', '-standarddeviation'],
  'select-string': ['-raw', '-noemphasis', '-culture'],
  'get-random': ['-shuffle'],
};
/** Cmdlets that write or read text in an encoding of 5.1's own choice unless told. */
const NEED_ENCODING = 'get-content set-content add-content out-file export-csv import-csv select-string';
const ENCODINGS_OF_51 = ['ascii', 'utf8', 'unicode', 'bigendianunicode', 'utf32', 'byte', 'oem', 'default'];
/** Programs whose use is known to depend on no language. */
const PROGRAMS = 'auditpol.exe netsh.exe wevtutil.exe icacls.exe schtasks.exe';
/** Members that hold text in the machine's language, or personal text. */
const LOCALISED_MEMBERS = 'message displayname caption localizeddescription statusdescription';
const VARIABLES_NOT_IN_51 = '$iswindows $islinux $ismacos $iscoreclr $psstyle $enabledexperimentalfeatures';
/** Static members that the .NET Framework of 5.1 has not. */
const STATICS_NOT_IN_51 =
  /\[(?:System\.)?(?:Convert\]::(?:To|From)HexString|Math\]::Clamp|Text\.Encoding\]::Latin1|IO\.Path\]::GetRelativePath|Random\]::Shared|Environment\]::Process(?:Id|Path))/i;

const isIn = (list: string, name: string) => list.split(' ').includes(name);

let parser: Promise<Parser> | undefined;

function openParser(): Promise<Parser> {
  parser ??= (async () => {
    await Parser.init();
    const require = createRequire(import.meta.url);
    const opened = new Parser();
    opened.setLanguage(await Language.load(require.resolve('tree-sitter-powershell/tree-sitter-powershell.wasm')));
    return opened;
  })();
  return parser;
}

function* everyNode(node: Node): Generator<Node> {
  yield node;
  for (const child of node.children) if (child !== null) yield* everyNode(child);
}

const COMMON = /^#region common\n.*?^#endregion\n/ms;

/** Lines of the common part, which alone may turn errors and documents into text. */
function commonLines(text: string): [number, number] {
  const match = COMMON.exec(text);
  if (match === null) return [-1, -1];
  const first = text.slice(0, match.index).split('\n').length;
  return [first, first + match[0].split('\n').length - 2];
}

/** Every mistake as `line N: sentence`, in the order of the lines; empty where there is none. */
export async function lintPowerShell(text: string): Promise<readonly string[]> {
  const tree = (await openParser()).parse(text);
  if (tree === null) return ['line 1: the grammar gave up'];
  const [first, last] = commonLines(text);
  const found: [number, string][] = [];
  for (const node of everyNode(tree.rootNode)) {
    const line = node.startPosition.row + 1;
    const common = line >= first && line <= last;
    for (const sentence of lintNode(node, common)) found.push([line, sentence]);
  }
  tree.delete();
  for (const sentence of lintWhole(text)) found.push([1, sentence]);
  const lines = found.toSorted(([a], [b]) => a - b).map(([line, sentence]) => `line ${line}: ${sentence}`);
  return [...new Set(lines)];
}

function lintWhole(text: string): string[] {
  const code = text.replaceAll(/^\s*#.*$/gm, '');
  return [
    ...(/^param\(\[string\]\$InputJson\)\n#region common\n/.test(text)
      ? []
      : ['a script begins with param([string]$InputJson) and the common part, which sets strict mode']),
    ...(withSharedParts(text) === text
      ? []
      : ['a shared part is not the one of runbooks/windows/: run tools/copy-common.ts']),
    ...(/[^\t\n -~]/.test(text) ? ['a script is ASCII: 5.1 reads files without a mark in a code page of its own'] : []),
    ...(STATICS_NOT_IN_51.test(code) ? ['a member that the .NET Framework of 5.1 has not'] : []),
  ];
}

function lintNode(node: Node, common: boolean): string[] {
  if (node.type === '&&' || node.type === '||') return ['5.1 does not know && and ||'];
  if (node.isError || node.isMissing)
    return [`Windows PowerShell 5.1 does not read this: ${node.text.slice(0, 40).trim()}`];
  switch (node.type) {
    case 'command':
      return lintCommand(node, common);
    case 'member_name':
      return lintMember(node, common);
    case 'variable':
      return lintVariable(node.text.toLowerCase());
    case 'redirection':
      return /\$null$/i.test(node.text.trim()) || /&\d$/.test(node.text.trim())
        ? []
        : ['a redirection writes in an encoding that differs between versions'];
    default:
      return [];
  }
}

function lintMember(node: Node, common: boolean): string[] {
  const name = node.text.toLowerCase();
  if (isIn(LOCALISED_MEMBERS, name)) return [`.${name} is text in the machine's language`];
  // Other objects have numbers of that name too; what is caught is `$_`.
  if (name === 'hresult' && !common && /\$_\.|exception/i.test(node.parent?.text ?? ''))
    return ['5.1 wraps exceptions: ask Get-ErrorReason for the number, not .HResult'];
  return [];
}

function lintVariable(name: string): string[] {
  if (isIn(VARIABLES_NOT_IN_51, name)) return [`5.1 has no ${name}`];
  return [];
}

function lintCommand(node: Node, common: boolean): string[] {
  const name = (node.childForFieldName('command_name')?.text ?? '').toLowerCase();
  const parameters = [...everyNode(node)]
    .filter((inner) => inner.type === 'command_parameter' && ownerOf(inner)?.id === node.id)
    .map((inner) => inner.text.toLowerCase().replace(/:$/, ''));
  const problems: string[] = [];
  if (name === 'invoke-expression' || name === 'iex') problems.push('text never becomes code');
  if (isIn(NOT_IN_51, name)) problems.push(`5.1 has no ${name}`);
  if (isIn(NOT_IN_7, name)) problems.push(`PowerShell 7 has no ${name}`);
  if (isIn(FOR_PEOPLE, name)) problems.push(`${name} makes or asks for text for people`);
  if (name.endsWith('.exe') && !isIn(PROGRAMS, name)) problems.push(`${name} may speak the machine's language`);
  if (isIn('net net1 systeminfo quser sc chcp cmd wmic reg', name))
    problems.push(`${name} speaks the machine's language`);
  for (const parameter of PARAMETERS_NOT_IN_51[name] ?? []) {
    if (parameters.includes(parameter)) problems.push(`5.1's ${name} has no ${parameter}`);
  }
  problems.push(...lintJson(name, parameters, common), ...lintEncoding(name, parameters, node.text));
  if (name === 'auditpol.exe' && /\s\/(?:get|list)\b/i.test(node.text))
    problems.push("auditpol /get speaks the machine's language: use /backup");
  return problems;
}

/** 5.1 cuts at a depth of 2, unrolls arrays of one, and writes dates as `/Date(…)/`. */
function lintJson(name: string, parameters: readonly string[], common: boolean): string[] {
  if (name === 'convertto-json') {
    if (!common) return ['documents are written by Write-Facts and Write-Actions only'];
    if (!parameters.includes('-depth')) return ['ConvertTo-Json cuts at a depth of 2 unless told'];
  }
  if ((name === 'convertto-json' || name === 'convertfrom-json') && !parameters.includes('-inputobject')) {
    return [`${name} takes its input as -InputObject: from a pipeline 5.1 makes something else of arrays`];
  }
  return [];
}

function lintEncoding(name: string, parameters: readonly string[], text: string): string[] {
  if (!isIn(NEED_ENCODING, name)) return [];
  if (!parameters.includes('-encoding')) return [`${name} says its encoding: the default differs between versions`];
  const encoding = /-encoding[\s:]+['"]?(\w+)/i.exec(text)?.[1]?.toLowerCase() ?? '';
  return ENCODINGS_OF_51.includes(encoding) ? [] : [`5.1 knows no encoding ${encoding}`];
}

/** The innermost command that a node belongs to. */
function ownerOf(node: Node): Node | null {
  for (let at = node.parent; at !== null; at = at.parent) if (at.type === 'command') return at;
  return null;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const path of windowsScripts()) {
    for (const mistake of await lintPowerShell(readFileSync(path, 'utf8'))) {
      process.stdout.write(`${relative(process.cwd(), path)}: ${mistake}\n`);
      process.exitCode = 1;
    }
  }
}
