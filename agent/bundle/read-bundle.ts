// An auditor bundle on disk: that it holds exactly what its MANIFEST names, and where its parts lie. What the parts are worth
// is for the verifier: anybody can write a MANIFEST.
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import { MANIFEST_FILE, parseManifest } from '../report/manifest.ts';
import { fileError, readFileLimited } from '../system/files.ts';
import { REVOCATIONS_FILE } from './bundled-revocations.ts';

export interface BundleLog {
  readonly applianceId: string;
  readonly epoch: number;
  /** The files with its lines, in order. */
  readonly files: readonly string[];
  readonly receiptsFile: string;
  readonly checkpointsFile: string;
  /** RFC 3161 answers, with the size that each name gives. */
  readonly timestamps: readonly { readonly size: number; readonly file: string; readonly textFile: string }[];
}

export interface Bundle {
  readonly rootFile: string;
  /** Null where it holds no list. */
  readonly revocationsFile: string | null;
  readonly logs: readonly BundleLog[];
}

const ROOT_FILE = 'root.json';
const MAX_MANIFEST_BYTES = 1_048_576;
const CHUNK_BYTES = 1_048_576;
const LINES = /^(logs\/([a-z0-9-]{1,63})\/([1-9][0-9]{0,8}))\/([0-9]{1,15})-[0-9]{1,15}\.jsonl$/;
const STAMPED = /^timestamps\/([1-9][0-9]{0,14})\.tsr$/;

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
  const revocationsFile = listed.has(REVOCATIONS_FILE) ? join(dir, REVOCATIONS_FILE) : null;
  return { rootFile: join(dir, ROOT_FILE), revocationsFile, logs: logsOf(dir, found) };
}

function logsOf(dir: string, paths: readonly string[]): BundleLog[] {
  const parts = paths.flatMap((path) => {
    const [, folder = '', applianceId = '', epoch, first] = LINES.exec(path) ?? [];
    return first === undefined ? [] : [{ path, folder, applianceId, epoch: Number(epoch), first: Number(first) }];
  });
  const folders = new Map(parts.map((part) => [part.folder, part]));
  return [...folders.values()]
    .toSorted((a, b) => (a.applianceId === b.applianceId ? a.epoch - b.epoch : a.applianceId < b.applianceId ? -1 : 1))
    .map(({ folder, applianceId, epoch }) => ({
      applianceId,
      epoch,
      files: parts
        .filter((part) => part.folder === folder)
        .toSorted((a, b) => a.first - b.first)
        .map((part) => join(dir, part.path)),
      receiptsFile: join(dir, folder, 'receipts.jsonl'),
      checkpointsFile: join(dir, folder, 'checkpoints.txt'),
      timestamps: paths.flatMap((path) => {
        const size = path.startsWith(`${folder}/`) ? STAMPED.exec(path.slice(folder.length + 1))?.[1] : undefined;
        return size === undefined
          ? []
          : [{ size: Number(size), file: join(dir, path), textFile: join(dir, path.replace(/tsr$/, 'txt')) }];
      }),
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
