// Reads `restic ls --json`: one JSON document a line, the snapshot first. Pure.
import { Unreadable } from './probe.ts';

/** A regular file of a snapshot. */
export interface ListedFile {
  /** As restic recorded it; absolute. */
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
}

/** Regular files only; folders, links and devices hold no data of their own. @throws Unreadable */
export function parseListedFiles(text: string): ListedFile[] {
  const broken = (cause?: unknown): Unreadable =>
    new Unreadable('unparsable', "restic's list of files is not what it documents", cause);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => {
      let node: Record<string, unknown>;
      try {
        node = JSON.parse(line) as Record<string, unknown>;
      } catch (cause) {
        throw broken(cause);
      }
      if (node.type !== 'file') return [];
      const { path, size, mtime } = node;
      const mtimeMs = typeof mtime === 'string' ? Date.parse(mtime.replace(/(\.\d{3})\d+/, '$1')) : Number.NaN;
      // restic leaves out the size of an empty file.
      const bytes = size ?? 0;
      if (typeof path !== 'string' || typeof bytes !== 'number' || !Number.isSafeInteger(bytes)) throw broken();
      if (!path.startsWith('/') || path.split('/').includes('..') || !Number.isFinite(mtimeMs)) throw broken();
      return [{ path, size: bytes, mtimeMs }];
    });
}
