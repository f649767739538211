// Tiles of the log's Merkle tree, kept after the lines that they were made of: proofs need nothing else.
import { AgentError } from '../errors/agent-error.ts';
import type { Db } from './connection.ts';
import { rowSum } from './row-sums.ts';

export interface TilesTable {
  /** Adds a tile or replaces a shorter one: up to 256 hashes of 32 bytes, one after the other. */
  put(epoch: number, level: number, n: number, hashes: Buffer): void;
  get(epoch: number, level: number, n: number): Buffer | null;
  /** Tiles of a level; they are numbered from 0 without holes. */
  count(epoch: number, level: number): number;
}

const LEVELS = 8;
/** A log has at most 2^32 entries, so level 0 has at most 2^24 tiles. */
const TILES_PER_LEVEL = 2 ** 24;
/** The largest epoch whose rows still have numbers below 2^53. */
const MAX_EPOCH = 2 ** 21 - 1;

export function tilesTable(db: Db): TilesTable {
  const put = db.query(
    'INSERT INTO tiles (id, hashes, sum) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET hashes = excluded.hashes, sum = excluded.sum',
  );
  const get = db.query<{ hashes: Buffer }>('SELECT hashes FROM tiles WHERE id = ?');
  const last = db.query<{ id: number }>('SELECT id FROM tiles WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1');
  const rowOf = (epoch: number, level: number, n: number): number => {
    if (epoch > MAX_EPOCH || level >= LEVELS || n > TILES_PER_LEVEL) {
      throw new AgentError('internal', 'the store has no room for this tile', { details: { epoch, level, n } });
    }
    return (epoch * LEVELS + level) * TILES_PER_LEVEL + n;
  };
  return {
    put: (epoch, level, n, hashes) => {
      const id = rowOf(epoch, level, n);
      put.run(id, hashes, rowSum(id, hashes));
    },
    get: (epoch, level, n) => get.get(rowOf(epoch, level, n))?.hashes ?? null,
    count: (epoch, level) => {
      const first = rowOf(epoch, level, 0);
      const row = last.get(first, first + TILES_PER_LEVEL);
      return row === undefined ? 0 : row.id - first + 1;
    },
  };
}
