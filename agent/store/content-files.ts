// What the content list names, each as a file under its SHA-256 in the state directory. A name is a promise that is checked at
// each first read of a process: what does not hash to its name is not there.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isAgentError } from '../errors/agent-error.ts';
import { readFileLimited, writeFileAtomic } from '../system/files.ts';

export const CONTENT_DIR = 'content';
/** Of one file; the schema of content lists names no larger one. */
export const MAX_CONTENT_FILE_BYTES = 4_194_304;
const DIGEST = /^[0-9a-f]{64}$/;

export interface ContentFiles {
  /** Whether the bytes are here and are those of the name. */
  has(sha256: string): boolean;
  /** Null where {@link has} is false. */
  read(sha256: string): Buffer | null;
  /** On the disk when it returns. @throws disk_full, file_… */
  write(bytes: Buffer): string;
  /** Removes every other file. What cannot be removed stays and does no harm. */
  keepOnly(digests: ReadonlySet<string>): void;
}

export function contentFiles(stateDir: string): ContentFiles {
  const dir = join(stateDir, CONTENT_DIR);
  const verified = new Set<string>();
  const read = (sha256: string): Buffer | null => {
    const path = join(dir, sha256);
    if (!DIGEST.test(sha256) || !existsSync(path)) return null;
    try {
      const bytes = readFileLimited(path, MAX_CONTENT_FILE_BYTES);
      if (digestOf(bytes) !== sha256) return null;
      verified.add(sha256);
      return bytes;
    } catch (error) {
      if (isAgentError(error)) return null;
      throw error;
    }
  };
  return {
    has: (sha256) => (verified.has(sha256) && existsSync(join(dir, sha256))) || read(sha256) !== null,
    read,
    write(bytes) {
      const sha256 = digestOf(bytes);
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      writeFileAtomic(join(dir, sha256), bytes);
      verified.add(sha256);
      return sha256;
    },
    keepOnly(digests) {
      if (!existsSync(dir)) return;
      for (const name of readdirSync(dir)) {
        if (digests.has(name)) continue;
        verified.delete(name);
        rmSync(join(dir, name), { force: true });
      }
    },
  };
}

const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
