// The entries of a log as they lie in the store, from the first one on: lines, and hashes where lines were pruned.
import { AgentError } from '../errors/agent-error.ts';
import type { Store } from '../store/open-store.ts';
import { encodeLeftOut } from '../wire/left-out.ts';
import { HASH_BYTES } from '../wire/merkle.ts';
import { TILE_HASHES } from '../wire/tiles.ts';

/** Either the line, without its LF, or the leaf hash that is left of it. */
export type LogRow =
  | { readonly seq: number; readonly line: string; readonly leaf: null }
  | { readonly seq: number; readonly line: null; readonly leaf: Buffer };

const PAGE = { maxEntries: 500, maxBytes: 4 * 1_024 * 1_024 };

/**
 * Entries fromSeq ≤ seq < toSeq, page by page, so that memory does not grow with the log. The daemon may append and prune
 * meanwhile: each row is what was there when its page was read.
 *
 * @throws store_corrupt where an entry is neither here nor pruned
 */
export function* logRows(store: Store, epoch: number, fromSeq: number, toSeq: number): Generator<LogRow[]> {
  for (let next = fromSeq; next < toSeq;) {
    const limits = { ...PAGE, maxEntries: Math.min(PAGE.maxEntries, toSeq - next) };
    const lines = store.entries.range(epoch, next, limits).map(({ seq, line }) => ({ seq, line, leaf: null }));
    const page = lines.length > 0 ? lines : prunedRows(store, epoch, next, toSeq);
    yield page;
    next += page.length;
  }
}

/** What stands for a row in a list of lines (docs/formats/bundle.md): the line itself, or the hash in its place. */
export const textOfRow = (row: LogRow): string => row.line ?? encodeLeftOut({ leaves: 1, root: row.leaf });

/** Up to the next line, or to the end of the tile that keeps the hashes. */
function prunedRows(store: Store, epoch: number, from: number, to: number): LogRow[] {
  const tile = Math.floor(from / TILE_HASHES);
  const hashes = store.tiles.get(epoch, 0, tile) ?? Buffer.alloc(0);
  const first = tile * TILE_HASHES;
  const nextLine = store.entries.list(epoch, { fromSeq: from, limit: 1 })[0]?.seq ?? to;
  const end = Math.min(nextLine, first + hashes.length / HASH_BYTES, to);
  if (end <= from) {
    throw new AgentError('store_corrupt', `entry ${from} is missing in the store`, { details: { seq: from } });
  }
  return Array.from({ length: end - from }, (_, i) => {
    const at = (from + i - first) * HASH_BYTES;
    return { seq: from + i, line: null, leaf: Buffer.from(hashes.subarray(at, at + HASH_BYTES)) };
  });
}
