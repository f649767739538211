// A runbook as one blob: what the content list names by SHA-256. One spelling only, so that a folder has one digest
// (docs/formats/runbook.md).
import * as v from 'valibot';
import { AgentError } from '../errors/agent-error.ts';
import { sha256Hex } from './digest.ts';

export interface PackageFile {
  readonly path: string;
  readonly text: string;
}

export interface RunbookPackage {
  readonly bytes: Buffer;
  /** Of the bytes, lower-case hex. */
  readonly sha256: string;
}

/** What fits through WinRM to a machine in reasonable time; a script that judges nothing stays far below. */
export const MAX_SCRIPT_BYTES = 400_000;
/** Four scripts and a description, with every character escaped. */
const MAX_PACKAGE_BYTES = 4_194_304;
const SCHEMA = 'compliance-agent/runbook-package/v1';
const PATHS = ['detect.ps1', 'remediate.ps1', 'rollback.ps1', 'runbook.yaml', 'verify.ps1'];

const packageSchema = v.strictObject({
  schema: v.literal(SCHEMA),
  files: v.pipe(
    v.array(v.strictObject({ path: v.picklist(PATHS), text: v.string() })),
    v.minLength(1),
    v.maxLength(PATHS.length),
  ),
});

const refuse = (sentence: string): AgentError => new AgentError('runbook_package_invalid', sentence);

function judgeFile({ path, text }: PackageFile): void {
  if (!text.isWellFormed()) throw refuse(`${path} holds half a surrogate pair`);
  if (text.startsWith('\ufeff')) throw refuse(`${path} begins with a byte order mark`);
  if (text.includes('\r')) throw refuse(`${path} has carriage returns; lines end with LF`);
  if (text.includes('\0')) throw refuse(`${path} holds a NUL`);
  if (!text.endsWith('\n')) throw refuse(`${path} does not end with LF`);
  if (Buffer.byteLength(text) > MAX_SCRIPT_BYTES) {
    throw new AgentError('runbook_script_too_large', `${path} is larger than ${MAX_SCRIPT_BYTES} bytes`);
  }
}

/**
 * The blob of a runbook's files, in any order.
 *
 * @throws runbook_package_invalid (a name that does not belong there, no runbook.yaml, BOM, CR, NUL, no LF at the end),
 *   runbook_script_too_large
 */
export function packRunbook(files: readonly PackageFile[]): RunbookPackage {
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1)).map(({ path, text }) => ({ path, text }));
  for (const [i, file] of sorted.entries()) {
    if (!PATHS.includes(file.path)) throw refuse('a file does not belong to a runbook');
    if (sorted[i - 1]?.path === file.path) throw refuse(`${file.path} stands twice`);
    judgeFile(file);
  }
  if (!sorted.some(({ path }) => path === 'runbook.yaml')) throw refuse('there is no runbook.yaml');
  const bytes = Buffer.from(JSON.stringify({ schema: SCHEMA, files: sorted }));
  return { bytes, sha256: sha256Hex(bytes) };
}

/**
 * The files of a blob.
 *
 * @throws runbook_package_invalid for any spelling but that of {@link packRunbook}; runbook_script_too_large
 */
export function unpackRunbook(bytes: Buffer): readonly PackageFile[] {
  if (bytes.length > MAX_PACKAGE_BYTES) throw refuse(`the blob is larger than ${MAX_PACKAGE_BYTES} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw new AgentError('runbook_package_invalid', 'the blob is no JSON in UTF-8', { cause });
  }
  const checked = v.safeParse(packageSchema, value);
  if (!checked.success) throw refuse('the blob does not hold the files of a runbook and nothing else');
  if (!packRunbook(checked.output.files).bytes.equals(bytes)) throw refuse('the blob is spelled in another way');
  return checked.output.files;
}
