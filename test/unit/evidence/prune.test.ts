import fc from 'fast-check';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logTree } from '../../../agent/evidence/log-tree.ts';
import { prunableSize } from '../../../agent/evidence/what-to-prune.ts';
import { createRecorder } from '../../../agent/evidence/recorder.ts';
import { createLogVerifier } from '../../../agent/verify/log-verifier.ts';
import { logRows, textOfRow } from '../../../agent/evidence/log-rows.ts';
import { leafHash, verifyConsistency, verifyInclusion } from '../../../agent/wire/merkle.ts';
import { TILE_HASHES } from '../../../agent/wire/tiles.ts';
import type { Store } from '../../../agent/store/open-store.ts';
import {
  finding,
  linesOf,
  logIn,
  openLog,
  trust,
  withDir,
  withLog,
  type OpenLog,
} from '../../support/evidence-fixtures.ts';
import { expectCode, expectCodeAsync } from '../../support/expect-code.ts';
import {
  appendFindings,
  DAY_S,
  linesHeld,
  ORIGIN,
  prune,
  rootAt,
  saveCheckpoint,
  saveReceipt,
} from '../../support/prunable-log.ts';
import { alertBody } from '../../support/sample-log.ts';
import { withRaw } from '../../support/store-fixtures.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const LONG_AGO = NOW - 91 * DAY_S;
const SIZE = 1_100;

const made = mkdtempSync(join(tmpdir(), 'prune-'));
beforeAll(() => {
  const open = openLog(made);
  appendFindings(open, SIZE);
  open.store.close();
});
afterAll(() => rmSync(made, { recursive: true }));

/** A log of entry 0 and SIZE findings, made once and copied. */
const withFindings = (fn: (open: OpenLog, dir: string) => Promise<void>): Promise<void> =>
  withDir(async (dir) => {
    cpSync(made, dir, { recursive: true });
    const open = openLog(dir);
    await fn(open, dir).finally(() => open.store.close());
  });

/** 1,101 entries, stored and cosigned long ago up to 1,000. */
function covered(store: Store): void {
  saveReceipt(store, 1_000, LONG_AGO);
  saveCheckpoint(store, 1_000);
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe('pruning', () => {
  it('takes the lines of whole tiles that were stored for long enough, beyond the newest, but entry 0', () =>
    withFindings(async (open) => {
      covered(open.store);
      expect(await prune(open.store)).toEqual({ removed: 767, size: 768 });
      expect(linesHeld(open.store)).toEqual([0, ...range(768, SIZE + 1)]);
      expect(await prune(open.store)).toEqual({ removed: 0, size: 768 });
    }));

  it('leaves tree, proofs, appending and a restart as they were', () =>
    withFindings(async (first, dir) => {
      let open = first;
      const lines = linesOf(open.store);
      const roots = [1, 255, 256, 700, 768, 1_000, SIZE].map((size) => rootAt(open.store, size));
      covered(open.store);
      await prune(open.store);
      for (let life = 0; life < 2; life += 1) {
        const tree = logTree(open.store, 1);
        const root = Buffer.from(tree.rootAt(SIZE), 'hex');
        expect([1, 255, 256, 700, 768, 1_000, SIZE].map((size) => tree.rootAt(size))).toEqual(roots);
        for (const seq of [0, 1, 300, 767, 768, SIZE - 1]) {
          const proof = tree.inclusionProof(seq, SIZE);
          expect(verifyInclusion(leafHash(lines[seq]!), seq, SIZE, proof, root)).toBe(true);
        }
        const old = Buffer.from(tree.rootAt(300), 'hex');
        expect(verifyConsistency(300, old, SIZE, root, tree.consistencyProof(300, SIZE))).toBe(true);
        open.store.close();
        open = openLog(dir);
        appendFindings(open, 300);
      }
      open.store.close();
    }));

  it('keeps bindings, waivers, gaps, alerts, changes of trust, and what a finding still rests on', () =>
    withLog(async (open) => {
      const recorder = createRecorder(open);
      recorder.recordFindings([finding()]);
      open.log.append('alert', alertBody(1));
      const gap = {
        reason: 'disk_low',
        sentence: 'Less was written.',
        gap_from: NOW,
        gap_to: NOW,
        dropped: { digest: 1 },
      };
      open.log.append('gap', gap);
      open.log.append('trust', {
        what: 'policy',
        version: 2,
        sha256: 'aa'.repeat(32),
        sentence: 'A policy came into force.',
      });
      appendFindings(open, SIZE);
      covered(open.store);
      await prune(open.store);
      expect(linesHeld(open.store).slice(0, 6)).toEqual([0, 1, 2, 3, 4, 768]);
    }));

  it('lets the verifier hold what is left, with the hashes of the rest, against the receipt, and say how much is not here', () =>
    withFindings(async (open) => {
      covered(open.store);
      const root = open.log.root();
      await prune(open.store);
      const rows = [...logRows(open.store, 1, 0, SIZE + 1)].flat();
      const verifier = createLogVerifier({
        root: trust.root.root,
        checkpoints: open.store.checkpoints.all(ORIGIN).map(({ note }) => note),
      });
      for (const row of rows) verifier.push(textOfRow(row));
      expect(verifier.finish()).toMatchObject({ ok: true, size: SIZE + 1, root, leftOut: 767, checkpoints: 1 });
    }));

  it.each<[string, (store: Store) => void]>([
    ['there is no receipt', (store) => saveCheckpoint(store, 1_000)],
    ['nothing was cosigned', (store) => saveReceipt(store, 1_000, LONG_AGO)],
    [
      'the checkpoint carries no cosignature',
      (store) => (saveReceipt(store, 1_000, LONG_AGO), saveCheckpoint(store, 1_000, { cosigned: false })),
    ],
    [
      'the cosignature is by another key',
      (store) => (saveReceipt(store, 1_000, LONG_AGO), saveCheckpoint(store, 1_000, { witness: 'receipt' })),
    ],
    [
      'the checkpoint is signed by another key than the log',
      (store) => (saveReceipt(store, 1_000, LONG_AGO), saveCheckpoint(store, 1_000, { device: 'order' })),
    ],
    [
      'the cosigned checkpoint is of another tree',
      (store) => (saveReceipt(store, 1_000, LONG_AGO), saveCheckpoint(store, 1_000, { root: '0a'.repeat(32) })),
    ],
    [
      'the receipt is a day too young',
      (store) => (saveReceipt(store, 1_000, NOW - 89 * DAY_S), saveCheckpoint(store, 1_000)),
    ],
    [
      'the receipt came in a day ago, whatever date it carries',
      (store) => {
        saveReceipt(store, 1_000, LONG_AGO, {}, trust.keys['receipt'], NOW - DAY_S);
        saveCheckpoint(store, 1_000);
      },
    ],
    [
      'the receipt is by another key',
      (store) => (saveReceipt(store, 1_000, LONG_AGO, {}, trust.keys['timestamp']), saveCheckpoint(store, 1_000)),
    ],
    [
      'the receipt is for another log',
      (store) => (
        saveReceipt(store, 1_000, LONG_AGO, { origin: ORIGIN.replace('main-street-1', 'main-street-2') }),
        saveCheckpoint(store, 1_000)
      ),
    ],
    [
      'the receipt is for another epoch of the log',
      (store) => (
        saveReceipt(store, 1_000, LONG_AGO, { origin: ORIGIN.replace(/1$/, '2') }),
        saveCheckpoint(store, 1_000)
      ),
    ],
    [
      'the receipt names another root',
      (store) => (saveReceipt(store, 1_000, LONG_AGO, { root: 'ab'.repeat(32) }), saveCheckpoint(store, 1_000)),
    ],
    [
      'the receipt is for more than there is',
      (store) => (saveReceipt(store, 9_000, LONG_AGO, { root: 'ab'.repeat(32) }), saveCheckpoint(store, 1_000)),
    ],
    [
      'the row of a receipt for less says that it is for more',
      (store) => {
        saveReceipt(store, 200, LONG_AGO);
        const { line, root } = store.uplink.receipts(ORIGIN)[0]!;
        store.uplink.saveReceipt({ origin: ORIGIN, size: 1_000, root, line, at: LONG_AGO });
        saveCheckpoint(store, 1_000);
      },
    ],
  ])('takes nothing where %s', (_name, fill) =>
    withFindings(async (open) => {
      fill(open.store);
      expect(await prune(open.store)).toEqual({ removed: 0, size: 0 });
      expect(linesHeld(open.store)).toEqual(range(0, SIZE + 1));
    }),
  );

  it('does not believe a receipt or a cosignature by a key that was revoked or is no longer the witness', () =>
    withFindings(async (open) => {
      covered(open.store);
      const revokedKeyids = new Set([trust.keys['receipt']!.keyid]);
      expect((await prune(open.store, { revokedKeyids })).removed).toBe(0);
      const root = { ...trust.root.root, roles: { ...trust.root.root.roles, witness: { threshold: 1, keyids: [] } } };
      expect((await prune(open.store, { root })).removed).toBe(0);
    }));

  it('takes nothing where Central Command sets the signed time ahead by half a year', () =>
    withFindings(async (open) => {
      saveReceipt(open.store, 1_000, NOW - DAY_S);
      saveCheckpoint(open.store, 1_000);
      expect((await prune(open.store, { nowT: NOW + 180 * DAY_S })).removed).toBe(0);
      // Nor a wall clock that is ahead, as long as the signed time is not.
      expect((await prune(open.store, { wallNow: NOW + 180 * DAY_S })).removed).toBe(0);
    }));

  it('goes no further than an older receipt that holds, where a larger one does not', () =>
    withFindings(async (open) => {
      saveReceipt(open.store, 600, LONG_AGO);
      saveReceipt(open.store, 1_000, LONG_AGO, {}, trust.keys['order']);
      saveReceipt(open.store, 1_050, NOW - DAY_S);
      saveCheckpoint(open.store, SIZE);
      expect((await prune(open.store)).size).toBe(512);
    }));

  it('stops before a tile that is not that of its lines, and leaves them all', () =>
    withFindings(async (first, dir) => {
      let open = first;
      covered(open.store);
      const tile = Buffer.from(open.store.tiles.get(1, 0, 0)!);
      open.store.close();
      // The tile's root stays known one level up, so only a look at the lines finds it.
      tile[100]! ^= 1;
      open = openLog(dir);
      open.store.tiles.put(1, 0, 0, tile);
      await expectCodeAsync(prune(open.store), 'store_corrupt');
      expect(linesHeld(open.store)).toHaveLength(SIZE + 1);
      open.store.close();
    }));

  it('makes a start find a hole in what is left', () =>
    withFindings(async ({ store }, dir) => {
      covered(store);
      await prune(store);
      store.close();
      withRaw(dir, (raw) => {
        raw.exec('DROP TRIGGER entries_are_kept');
        raw.exec('DELETE FROM entries WHERE id % 4294967296 = 800');
      });
      expectCode(() => openLog(dir), 'store_corrupt');
    }));

  it('lets the log go on in the same process as if nothing had happened', () =>
    withFindings(async (open) => {
      covered(open.store);
      await prune(open.store, { rules: { keepNewest: 1, minAgeDays: 1 } });
      appendFindings(open, 600);
      expect(logIn(open.store, open.clock).size()).toBe(SIZE + 601);
    }));
});

describe('what may be pruned', () => {
  const RULES = { keepNewest: 200, minAgeDays: 90 };

  it('is never more than receipt, cosigned checkpoint, age and the newest allow, whatever they are', () => {
    const count = fc.nat(5_000);
    const facts = fc.record({
      size: count,
      pruned: fc.constant(0),
      nowT: fc.constant(NOW),
      receipt: fc.option(fc.record({ size: count, storedAt: fc.integer({ min: NOW - 200 * DAY_S, max: NOW }) })),
      cosigned: count,
    });
    const rules = fc.record({
      keepNewest: fc.integer({ min: 1, max: 2_000 }),
      minAgeDays: fc.integer({ min: 1, max: 150 }),
    });
    fc.assert(
      fc.property(facts, rules, (given, rule) => {
        const to = prunableSize(given, rule);
        if (to === 0) return;
        expect(to % TILE_HASHES).toBe(0);
        expect(to).toBeLessThanOrEqual(given.receipt!.size);
        expect(to).toBeLessThanOrEqual(given.cosigned);
        expect(to).toBeLessThanOrEqual(given.size - rule.keepNewest);
        expect(given.receipt!.storedAt).toBeLessThanOrEqual(NOW - rule.minAgeDays * DAY_S);
        // And it is all of that: the next tile would break a rule.
        expect(to + TILE_HASHES).toBeGreaterThan(
          Math.min(given.receipt!.size, given.cosigned, given.size - rule.keepNewest),
        );
      }),
    );
  });

  it('is never less than before', () => {
    const facts = { size: 5_000, pruned: 1_024, nowT: NOW, receipt: null, cosigned: 0 };
    expect(prunableSize(facts, RULES)).toBe(1_024);
    const young = { ...facts, receipt: { size: 512, storedAt: LONG_AGO }, cosigned: 4_000 };
    expect(prunableSize(young, RULES)).toBe(1_024);
  });

  it('over any schedule of appends, receipts, checkpoints, time and restarts, is never a line that the rules keep', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('append' as const), n: fc.integer({ min: 1, max: 400 }) }) },
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constantFrom('receipt' as const, 'checkpoint' as const), n: fc.nat(100) }),
      },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('days' as const), n: fc.integer({ min: 1, max: 60 }) }) },
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constantFrom('prune' as const, 'restart' as const), n: fc.constant(0) }),
      },
    );
    return fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 20 }), (steps) =>
        withDir(async (dir) => {
          let open = openLog(dir);
          const lines = [...linesOf(open.store)];
          const receipts: { size: number; at: number }[] = [];
          let [cosigned, nowT] = [0, NOW];
          const sizeFor = (percent: number): number => Math.max(1, Math.floor((lines.length * percent) / 100));
          for (const { do: what, n } of [...steps, { do: 'prune' as const, n: 0 }]) {
            if (what === 'append') {
              const from = lines.length;
              appendFindings(open, n);
              lines.push(
                ...open.store.entries.range(1, from, { maxEntries: n, maxBytes: 1e9 }).map(({ line }) => line),
              );
            } else if (what === 'receipt') {
              receipts.push({ size: sizeFor(n), at: nowT });
              saveReceipt(open.store, sizeFor(n), nowT);
            } else if (what === 'checkpoint') {
              cosigned = Math.max(cosigned, sizeFor(n));
              saveCheckpoint(open.store, sizeFor(n));
            } else if (what === 'days') nowT += n * DAY_S;
            else if (what === 'restart') {
              open.store.close();
              open = openLog(dir);
            } else await prune(open.store, { nowT });
          }
          const held = new Set(linesHeld(open.store));
          const stored = Math.max(0, ...receipts.filter(({ at }) => at <= nowT - 90 * DAY_S).map(({ size }) => size));
          for (const [seq, line] of lines.entries()) {
            const mayGo = seq > 0 && seq < stored && seq < cosigned && seq < lines.length - 200;
            if (!mayGo) expect(held.has(seq)).toBe(true);
            if (held.has(seq)) expect(open.store.entries.get(1, seq)?.line).toBe(line);
            else expect(inTile(open.store, seq)).toEqual(leafHash(line));
          }
          open.store.close();
        }),
      ),
      { numRuns: 8 },
    );
  });
});

const inTile = (store: Store, seq: number): Buffer | undefined => {
  const at = (seq % TILE_HASHES) * 32;
  return store.tiles.get(1, 0, Math.floor(seq / TILE_HASHES))?.subarray(at, at + 32);
};
