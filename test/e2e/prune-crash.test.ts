import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { logTree } from '../../agent/evidence/log-tree.ts';
import { leafHash, rootOfLeaves } from '../../agent/wire/merkle.ts';
import { TILE_HASHES } from '../../agent/wire/tiles.ts';
import { verifyReceipt } from '../../agent/verify/verify-receipt.ts';
import { acknowledgedUntil, chosenSeed, seededRandom } from '../support/acknowledgements.ts';
import { linesOf, openLog, trust, withDir } from '../support/evidence-fixtures.ts';
import { appendFindings, linesHeld, ORIGIN } from '../support/prunable-log.ts';

const KILLS = 12;
/** Prunes and appends of one life before it is killed, at most. */
const MAX_COMMITS = 40;
const ENTRIES = 12_000;
const NEWEST = 200;
const HASH_BYTES = 32;
const PROGRAM = join(import.meta.dirname, '../fixtures/programs/prune-until-killed.ts');

const made = mkdtempSync(join(tmpdir(), 'prune-crash-'));
let first: string[] = [];
beforeAll(() => {
  const open = openLog(made);
  appendFindings(open, ENTRIES);
  first = linesOf(open.store);
  open.store.close();
}, 120_000);
afterAll(() => rmSync(made, { recursive: true }));

it(`pruning that is killed with kill -9 at ${KILLS} random points loses no line that no receipt covers, and no hash`, async () => {
  const random = seededRandom(chosenSeed('PRUNE_CRASH_SEED'));
  await withDir(async (dir) => {
    cpSync(made, dir, { recursive: true });
    const leaves = first.map((line) => leafHash(line));
    let bound = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const { before, since } = await acknowledgedUntil(PROGRAM, dir, Math.floor(random() * MAX_COMMITS), (end) =>
        end(),
      );
      for (const { entry, digest, pruned } of [...before, ...since]) {
        if (entry !== undefined && digest !== undefined) leaves[entry] = Buffer.from(digest, 'hex');
        bound = Math.max(bound, pruned ?? 0);
      }
      const { store } = openLog(dir);
      const { size } = store.entries.state(1);
      // Committed and not told: what the kill came between.
      for (const { seq, leaf } of store.entries.tail(1, Math.max(0, size - leaves.length))) leaves[seq] = leaf;
      expect(leaves).toHaveLength(size);
      const now = store.prunes.get(1)?.size ?? 0;
      expect(now).toBeGreaterThanOrEqual(bound);
      const receipts = store.uplink
        .receipts(ORIGIN)
        .map(({ line }) => verifyReceipt(trust.root.root, line, { origin: ORIGIN }).value.size);
      expect(now).toBeLessThanOrEqual(Math.min(Math.max(0, ...receipts), size - NEWEST));
      expect(linesHeld(store)).toEqual([
        0,
        ...Array.from({ length: size - Math.max(1, now) }, (_, i) => Math.max(1, now) + i),
      ]);
      for (let n = 0; n < Math.floor(size / TILE_HASHES); n += 1) {
        expect(store.tiles.get(1, 0, n)).toEqual(Buffer.concat(leaves.slice(n * TILE_HASHES, (n + 1) * TILE_HASHES)));
      }
      expect(logTree(store, 1).rootAt()).toBe(rootOfLeaves(leaves).toString('hex'));
      expect(store.entries.leaves(1, now, 1)).toEqual(leaves[now]!.subarray(0, HASH_BYTES));
      bound = now;
      store.close();
    }
    expect(bound).toBeGreaterThan(TILE_HASHES);
  });
}, 240_000);
