// The libraries of each program as Nix fetches them once: installs them by npm into a temporary folder and gives the hash by
// which nix/npm-deps.json pins that folder. `node tools/npm-deps.ts` prints what belongs there, `--write` writes it.
import { spawnSync } from 'node:child_process';
import { createHash, type Hash } from 'node:crypto';
import {
  cpSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProgramName } from './install-tree.ts';

const repo = join(import.meta.dirname, '..');
const PIN = join(repo, 'nix/npm-deps.json');

const COMMON = ['--ignore-scripts', '--no-audit', '--no-fund'];
/** Also in nix/npm-deps.nix. Nothing for development, no scripts; koffi's binary is optional. */
export const INSTALL: Readonly<Record<ProgramName, readonly string[]>> = {
  'compliance-agent': ['ci', '--omit=dev', '--workspaces=false', ...COMMON],
  'central-command': ['ci', '--omit=dev', '--workspace=central', '--include-workspace-root', ...COMMON],
};
/** npm notes there where it fetched from, and links to folders of ours; the others are types for a compiler that is not there. */
export const NOT_KEPT = ['.package-lock.json', 'typescript', '@typescript', '@compliance-agent', '.bin'];
const ROOT = ['package.json', 'package-lock.json', '.npmrc'];
/** What npm is given to read: of a workspace that it sees, it installs the libraries too, whatever it is told. */
const READ: Readonly<Record<ProgramName, readonly string[]>> = {
  'compliance-agent': ROOT,
  'central-command': [...ROOT, 'central/package.json', 'tools/node24/package.json'],
};

export interface DepsPin {
  /** Hex SHA-256 of package-lock.json: a part of the name, so that a changed lock never gets the old folder. */
  readonly lock_sha256: string;
  /** SRI hash of each program's folder as a NAR, for x86_64-linux. */
  readonly hashes: Readonly<Record<ProgramName, string>>;
}

const WORD_BYTES = 8;

/** A string of the Nix archive format: length, bytes, zeros up to eight. */
function put(hash: Hash, text: string | Buffer): void {
  const bytes = Buffer.from(text as string);
  const length = Buffer.alloc(WORD_BYTES);
  length.writeBigUInt64LE(BigInt(bytes.length));
  hash.update(length).update(bytes);
  hash.update(Buffer.alloc((WORD_BYTES - (bytes.length % WORD_BYTES)) % WORD_BYTES));
}

function putNode(hash: Hash, path: string): void {
  const words = (...all: string[]): void => all.forEach((word) => put(hash, word));
  const stat = lstatSync(path);
  words('(', 'type');
  if (stat.isSymbolicLink()) words('symlink', 'target', readlinkSync(path));
  else if (stat.isDirectory()) {
    words('directory');
    // In the order of bytes, as Nix sorts.
    const names = readdirSync(path, { encoding: 'buffer' }).toSorted(Buffer.compare);
    for (const name of names.map((bytes) => bytes.toString())) {
      words('entry', '(', 'name', name, 'node');
      putNode(hash, join(path, name));
      words(')');
    }
  } else {
    words('regular');
    if ((stat.mode & 0o100) !== 0) words('executable', '');
    words('contents');
    put(hash, readFileSync(path));
  }
  words(')');
}

/** `sha256-…` of a file or folder as `nix hash path` gives it (Nix archive format, version 1). */
export function narHash(path: string): string {
  const hash = createHash('sha256');
  put(hash, 'nix-archive-1');
  putNode(hash, path);
  return `sha256-${hash.digest('base64')}`;
}

export const lockSha256 = (): string =>
  createHash('sha256')
    .update(readFileSync(join(repo, 'package-lock.json')))
    .digest('hex');

/** Installs into a temporary folder, hands it to `use` and removes it. @throws Error with what npm said */
export function withDeps<T>(program: ProgramName, use: (modules: string) => T): T {
  const dir = mkdtempSync(join(tmpdir(), 'npm-deps-'));
  try {
    for (const file of READ[program]) cpSync(join(repo, file), join(dir, file));
    const npm = spawnSync('npm', INSTALL[program], { cwd: dir, encoding: 'utf8' });
    if (npm.status !== 0) throw new Error(npm.stderr);
    for (const name of NOT_KEPT) rmSync(join(dir, 'node_modules', name), { recursive: true, force: true });
    return use(join(dir, 'node_modules'));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

export const readPin = (): DepsPin => JSON.parse(readFileSync(PIN, 'utf8')) as DepsPin;

if (import.meta.main) {
  const hashes = {
    'compliance-agent': withDeps('compliance-agent', narHash),
    'central-command': withDeps('central-command', narHash),
  };
  const pin: DepsPin = { lock_sha256: lockSha256(), hashes };
  const text = `${JSON.stringify(pin, null, 2)}\n`;
  if (process.argv[2] === '--write') writeFileSync(PIN, text);
  else process.stdout.write(text);
}
