// An auditor bundle on disk: that it holds exactly what its MANIFEST names, and where its parts lie. What the parts are worth
// is for the verifier: anybody can write a MANIFEST.
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import { MANIFEST_FILE, parseManifest } from '../report/manifest.ts';
import { fileError, readFileLimited } from '../system/files.ts';

export interface BundleLog {
  readonly epoch: number;
  /** The files with its lines, in order. */
  readonly files: readonly string[];
  readonly receiptsFile: string;
  readonly checkpointsFile: string;
}

export interface Bundle {
  readonly rootFile: string;
  readonly logs: readonly BundleLog[];
}

const ROOT_FILE = 'root.json';
const MAX_MANIFEST_BYTES = 1_048_576;
const CHUNK_BYTES = 1_048_576;
const LINES = /^logs\/([1-9][0-9]{0,8})\/([0-9]{1,15})-[0-9]{1,15}\.jsonl$/;

export const isBundle = (path: string): boolean => existsSync(join(path, MANIFEST_FILE));

/** @throws bundle_invalid, bundle_mismatch, root_not_found, file_… */
export function readBundle(dir: string): Bundle {
  const place = join(dir, MANIFEST_FILE);
  const manifest = parseManifest(readFileLimited(place, MAX_MANIFEST_BYTES).toString('utf8'), place);
  const listed = new Set(manifest.map((file) => file.path));
  const found = filesBelow(dir).filter((path) => path !== MANIFEST_FILE);
  const stray = found.find((path) => !listed.has(path));
  if (stray !== undefined) throw mismatch(`${stray} is not in MANIFEST`, dir);
  for (const { path, sha256 } of manifest) {
    if (!found.includes(path)) throw mismatch(`${path} is missing`, dir);
    if (digestOf(join(dir, path)) !== sha256) throw mismatch(`${path} was changed`, dir);
  }
  if (!listed.has(ROOT_FILE)) throw new AgentError('root_not_found', `the bundle has no ${ROOT_FILE}`, { place: dir });
  return { rootFile: join(dir, ROOT_FILE), logs: logsOf(dir, found) };
}

function logsOf(dir: string, paths: readonly string[]): BundleLog[] {
  const parts = paths
    .map((path) => ({ path, match: LINES.exec(path) }))
    .filter(({ match }) => match !== null)
    .map(({ path, match }) => ({ path, epoch: Number(match?.[1]), first: Number(match?.[2]) }))
    .toSorted((a, b) => a.first - b.first);
  const epochs = [...new Set(parts.map((part) => part.epoch))].toSorted((a, b) => a - b);
  return epochs.map((epoch) => ({
    epoch,
    files: parts.filter((part) => part.epoch === epoch).map((part) => join(dir, part.path)),
    receiptsFile: join(dir, 'logs', String(epoch), 'receipts.jsonl'),
    checkpointsFile: join(dir, 'logs', String(epoch), 'checkpoints.txt'),
  }));
}

function mismatch(sentence: string, place: string): AgentError<'bundle_mismatch'> {
  return new AgentError('bundle_mismatch', sentence, { place });
}

/** Every file below `dir` as a path with `/`; what is neither file nor folder counts as a file, and is read as none. */
function filesBelow(dir: string): string[] {
  try {
    return readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((item) => !item.isDirectory())
      .map((item) => relative(dir, join(item.parentPath, item.name)).split(sep).join('/'));
  } catch (error) {
    throw fileError(error, 'read', dir);
  }
}

function digestOf(path: string): string {
  const hash = createHash('sha256');
  try {
    const fd = openSync(path, 'r');
    try {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      for (let length = readSync(fd, chunk); length > 0; length = readSync(fd, chunk)) {
        hash.update(chunk.subarray(0, length));
      }
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw fileError(error, 'read', path);
  }
  return hash.digest('hex');
}
