// The Merkle tree at the upload pointer, so that a receipt's root can be compared with ours without reading the whole log.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { logTree } from '../evidence/log-tree.ts';
import type { Store } from '../store/open-store.ts';
import { CompactRange, HASH_BYTES, leafHash } from '../wire/merkle.ts';

/** Lines read in one go; between two goes other work gets its turn. */
const CHUNK_ENTRIES = 500;
const CHUNK_BYTES = 4 * 1024 * 1024;
export interface Mark {
  /** Entries 0 … size−1. */
  readonly size: number;
  /** Lengths of their lines. */
  readonly bytes: number;
  /** Never appended to: clone it. */
  readonly range: CompactRange;
}

export interface UploadMark {
  /** The saved mark; the empty one when nothing usable is saved. */
  current(): Mark;
  /** Within the caller's unit. */
  save(mark: Mark): void;
  /** The mark at a size from the first line that is still here up to the log's; from the saved one where that lies below. */
  at(size: number, signal: AbortSignal): Promise<Mark>;
  /** Hex root at a size up to the log's, also below what was pruned; null where the tree is damaged. */
  rootAt(size: number): string | null;
}

const EMPTY: Mark = { size: 0, bytes: 0, range: CompactRange.from(0, []) };

export function createUploadMark(store: Store, o: { origin: string; epoch: number }): UploadMark {
  const key = `uplink_mark:${o.origin}`;
  const tree = logTree(store, o.epoch);
  let cached: Mark | null = null;

  const current = (): Mark => (cached ??= parseMark(store.settings.get(key)) ?? EMPTY);
  /** Where the lines begin that are still here. */
  const start = (): Mark => {
    const pruned = store.prunes.get(o.epoch);
    return pruned === null ? EMPTY : { size: pruned.size, bytes: pruned.bytes, range: tree.rangeAt(pruned.size) };
  };
  const readChunk = (from: Mark, toSize: number): Mark =>
    extend(
      from,
      store.entries.range(o.epoch, from.size, {
        maxEntries: Math.min(CHUNK_ENTRIES, toSize - from.size),
        maxBytes: CHUNK_BYTES,
      }),
    );

  return {
    current,
    save(mark) {
      store.settings.set(key, formatMark(mark));
      cached = mark;
    },
    async at(size, signal) {
      let mark = current().size <= size ? current() : start();
      while (mark.size < size) {
        signal.throwIfAborted();
        const next = readChunk(mark, size);
        if (next.size === mark.size) {
          const details = { seq: mark.size };
          throw new AgentError('store_corrupt', `entry ${mark.size} is missing in the store`, { details });
        }
        mark = next;
        await new Promise((resolve) => setImmediate(resolve));
      }
      return mark;
    },
    rootAt(size) {
      try {
        return tree.rootAt(size);
      } catch (error) {
        if (!isAgentError(error) || error.code !== 'store_corrupt') throw error;
        return null;
      }
    },
  };
}

/** The mark after further lines. */
export function extend(mark: Mark, lines: readonly { readonly line: string }[]): Mark {
  const range = mark.range.clone();
  let { bytes } = mark;
  for (const { line } of lines) {
    range.append(leafHash(line));
    bytes += line.length;
  }
  return { size: range.size, bytes, range };
}

export const rootHex = (mark: Mark): string => mark.range.root().toString('hex');

function formatMark({ size, bytes, range }: Mark): string {
  return JSON.stringify({ size, bytes, hashes: range.hashes().map((hash) => hash.toString('hex')) });
}

/** Null for anything that this file did not write: then the tree is computed again from the lines. */
function parseMark(text: string | null): Mark | null {
  if (text === null) return null;
  try {
    const { size, bytes, hashes } = JSON.parse(text) as { size: number; bytes: number; hashes: string[] };
    const buffers = hashes.map((hash) => Buffer.from(hash, 'hex'));
    if (!Number.isSafeInteger(bytes) || buffers.some((hash) => hash.length !== HASH_BYTES)) return null;
    return { size, bytes, range: CompactRange.from(size, buffers) };
  } catch {
    return null;
  }
}
