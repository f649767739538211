// Writes an auditor bundle beside its final name, remembers every digest, and puts it in place in one step: there is a whole
// bundle or none.
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, lstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import { encodeManifest, MANIFEST_FILE, type ManifestFile } from '../report/manifest.ts';
import { fileError } from '../system/files.ts';

export interface BundleFile {
  write(content: string | Uint8Array): void;
  close(): void;
}

export interface BundleWriter {
  /** A new file; `path` is relative, with `/`. Close it before `finish`. */
  open(path: string): BundleFile;
  add(path: string, content: string | Uint8Array): void;
  /** Writes MANIFEST, moves the folder to its name and gives the digest of MANIFEST. */
  finish(): { readonly files: number; readonly manifestSha256: string };
  /** Removes what was written; for any end but `finish`. */
  discard(): void;
}

const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

/** @throws export_refused where `out` exists */
export function createBundleWriter(out: string): BundleWriter {
  const target = resolve(out);
  if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) {
    throw new AgentError('export_refused', 'there is something of that name already', { place: target });
  }
  const partial = join(dirname(target), `.${basename(target)}.${process.pid}.partial`);
  const files: ManifestFile[] = [];
  const guarded = <T>(path: string, fn: () => T): T => {
    try {
      return fn();
    } catch (error) {
      throw fileError(error, 'write', path);
    }
  };
  guarded(target, () => mkdirSync(partial, { mode: PRIVATE_FOLDER }));

  const open = (path: string): BundleFile => {
    const full = join(partial, path);
    const hash = createHash('sha256');
    const fd = guarded(full, () => {
      mkdirSync(dirname(full), { recursive: true, mode: PRIVATE_FOLDER });
      return openSync(full, 'wx', PRIVATE_FILE);
    });
    return {
      write: (content) => {
        const bytes = typeof content === 'string' ? Buffer.from(content) : content;
        hash.update(bytes);
        guarded(full, () => {
          for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
        });
      },
      close: () => {
        guarded(full, () => {
          fsyncSync(fd);
          closeSync(fd);
        });
        files.push({ path, sha256: hash.digest('hex') });
      },
    };
  };
  const add = (path: string, content: string | Uint8Array): void => {
    const file = open(path);
    file.write(content);
    file.close();
  };
  return {
    open,
    add,
    finish: () => {
      const listed = [...files];
      const manifest = encodeManifest(listed);
      add(MANIFEST_FILE, manifest);
      guarded(target, () => renameSync(partial, target));
      return { files: listed.length, manifestSha256: createHash('sha256').update(manifest).digest('hex') };
    },
    discard: () => rmSync(partial, { recursive: true, force: true }),
  };
}
