// Where the passphrase of sealed keys comes from: for those of people a file that an environment variable names, or the terminal;
// for those of the server also a credential of systemd or a file descriptor. Never an argument or a variable itself, which others
// can read.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { AgentError } from '../../agent/errors/agent-error.ts';

export const PASSPHRASE_FILE = 'CENTRAL_KEYS_PASSPHRASE_FILE';

/** For the keys of the server: a file, a number of a file descriptor that is open for reading, and a credential's name. */
export const SERVER_PASSPHRASE_FILE = 'CENTRAL_SERVER_PASSPHRASE_FILE';
export const SERVER_PASSPHRASE_FD = 'CENTRAL_SERVER_PASSPHRASE_FD';
export const SERVER_PASSPHRASE_CREDENTIAL = 'central-server-passphrase';

let known: string | null = null;
let knownOfServer: string | null = null;

/** Asked once in a process. @throws passphrase_needed */
export async function passphrase(prompt = 'Passphrase of the keys: '): Promise<string> {
  known ??= fromFile(PASSPHRASE_FILE) ?? (await fromTerminal(prompt));
  return known;
}

/** Asked once in a process. @throws passphrase_needed */
export async function serverPassphrase(prompt = "Passphrase of the server's keys: "): Promise<string> {
  knownOfServer ??=
    fromDescriptor() ?? fromFile(SERVER_PASSPHRASE_FILE) ?? fromCredential() ?? (await fromTerminal(prompt));
  return knownOfServer;
}

/** A descriptor is read once and to its end: whoever opened it may have put it on nobody's disk. */
function fromDescriptor(): string | null {
  const text = process.env[SERVER_PASSPHRASE_FD];
  if (text === undefined || text === '') return null;
  if (!/^[0-9]{1,4}$/.test(text)) throw new AgentError('passphrase_needed', `${SERVER_PASSPHRASE_FD} is no number`);
  return readPassphrase(Number(text), SERVER_PASSPHRASE_FD);
}

/** What systemd handed to the unit (`LoadCredentialEncrypted=central-server-passphrase`). */
function fromCredential(): string | null {
  const dir = process.env['CREDENTIALS_DIRECTORY'];
  const path = dir === undefined || dir === '' ? null : join(dir, SERVER_PASSPHRASE_CREDENTIAL);
  return path !== null && existsSync(path) ? readPassphrase(path, 'the credential') : null;
}

function fromFile(variable: string): string | null {
  const path = process.env[variable];
  return path === undefined || path === '' ? null : readPassphrase(path, `the file that ${variable} names`);
}

function readPassphrase(from: string | number, what: string): string {
  try {
    return readFileSync(from, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw new AgentError('passphrase_needed', `${what} cannot be read`, { place: String(from), cause });
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
