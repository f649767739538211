// Writes the help of every verb of compliance-agent into docs/cli.md. `--check` fails when the page is stale.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { CliDeps } from '../agent/cli/deps.ts';
import { runCli } from '../agent/cli/program.ts';
import { replaceBetween, writeOrCheck } from './generated-doc.ts';

const FILE = new URL('../docs/cli.md', import.meta.url);

/** Every verb as it is typed; the empty one is the program. */
export const VERBS = [
  '',
  'run',
  'status',
  'console',
  'doctor',
  'check',
  'evidence list',
  'evidence show',
  'evidence verify',
  'evidence checkpoints',
  'evidence export',
  'orders',
  'config check',
  'config show',
  'facts',
  'job',
  'provision',
  'provision status',
  'provision code',
  'provision reset',
  'helper',
  'rules list',
  'rules lint',
  'rules test',
  'incidents list',
  'incidents show',
  'healing explain',
  'healing pause',
  'healing status',
  'learning list',
  'learning show',
  'learning approve',
  'learning reject',
  'runbook list',
  'runbook show',
  'runbook lint',
  'runbook run',
  'tickets list',
  'tickets show',
  'egress show',
  'egress refresh',
  'version',
  'errors',
] as const;

/** What `--help` of a verb prints. Help touches nothing, so that nothing but the output is handed in. */
export async function helpOf(verb: string): Promise<string> {
  let text = '';
  const output = { isTTY: false, write: (part: string) => void (text += part) };
  const argv = [...verb.split(' ').filter((word) => word !== ''), '--help'];
  await runCli(argv, { stdout: output, stderr: output, env: {} } as unknown as CliDeps);
  return text.trimEnd();
}

/** Options that every verb has are described once, with the program. */
const withoutGlobals = (help: string): string => help.replace(/\n\nGlobal Options:\n(?: .*\n?)*/, '').trimEnd();

/** `document` with every block of help brought up to date. */
export async function cliDoc(document: string): Promise<string> {
  let text = document;
  for (const verb of VERBS) {
    const help = withoutGlobals(await helpOf(verb));
    text = replaceBetween(text, verb === '' ? 'help' : `help ${verb}`, `\`\`\`text\n${help}\n\`\`\``);
  }
  return text;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeOrCheck(FILE, await cliDoc(readFileSync(FILE, 'utf8')), process.argv);
}
