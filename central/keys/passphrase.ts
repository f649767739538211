// Where the passphrase of sealed keys comes from: a file that an environment variable names, or the terminal. Never an argument,
// which every user of the machine can read.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { AgentError } from '../../agent/errors/agent-error.ts';

export const PASSPHRASE_FILE = 'CENTRAL_KEYS_PASSPHRASE_FILE';

let known: string | null = null;

/** Asked once in a process. @throws passphrase_needed */
export async function passphrase(prompt = 'Passphrase of the keys: '): Promise<string> {
  known ??= fromFile() ?? (await fromTerminal(prompt));
  return known;
}

function fromFile(): string | null {
  const path = process.env[PASSPHRASE_FILE];
  if (path === undefined || path === '') return null;
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw new AgentError('passphrase_needed', `the file that ${PASSPHRASE_FILE} names cannot be read`, {
      place: path,
      cause,
    });
  }
}

async function fromTerminal(prompt: string): Promise<string> {
  if (!process.stdin.isTTY) throw new AgentError('passphrase_needed', 'the keys are sealed with a passphrase');
  process.stderr.write(prompt);
  // What is typed is not shown.
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const ask = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await ask.question('');
  } finally {
    ask.close();
    process.stderr.write('\n');
  }
}
