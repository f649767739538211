import { describe, expect, it } from 'vitest';
import { leafHash } from '../../../agent/wire/merkle.ts';
import { withDir } from '../../support/evidence-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';
import { appendLines, AT, open, withRaw } from '../../support/store-fixtures.ts';

const lines = (n: number, length = 10): string[] => Array.from({ length: n }, (_, i) => `${i}`.padEnd(length, '.'));

describe('entries', () => {
  it('give back the exact lines, their size in bytes, the last leaf and the compact range', () =>
    withDir((dir) => {
      const store = open(dir);
      expect(store.entries.state(1)).toEqual({ size: 0, bytes: 0, lastLeaf: null, range: [] });
      appendLines(store, lines(7));
      const { size, bytes, lastLeaf, range } = store.entries.state(1);
      expect([size, bytes, range.length]).toEqual([7, 70, 3]);
      expect(lastLeaf).toEqual(leafHash(lines(7)[6]!));
      expect(store.entries.get(1, 3)).toEqual({
        seq: 3,
        kind: 'heartbeat',
        targetId: 'appliance',
        checkId: null,
        observedTo: AT + 3,
        line: lines(7)[3],
      });
      expect(store.entries.get(1, 7)).toBe(null);
      expect(store.entries.epochs()).toEqual([1]);
      store.close();
    }));

  it('refuse a position that is taken and one that would leave a hole', () =>
    withDir((dir) => {
      const store = open(dir);
      appendLines(store, lines(3));
      const row = { epoch: 1, kind: 'alert', targetId: null, checkId: null, observedTo: AT, range: [] };
      for (const seq of [0, 2, 4]) {
        expectCode(() => store.entries.append({ ...row, seq, line: 'x', leaf: leafHash('x') }), 'internal');
      }
      expect(store.entries.state(1).size).toBe(3);
      store.close();
    }));

  it('cannot be rewritten or deleted even by another tool', () =>
    withDir((dir) => {
      const store = open(dir);
      appendLines(store, lines(3));
      store.close();
      withRaw(dir, (raw) => {
        expect(() => raw.exec("UPDATE entries SET line = 'forged' WHERE id % 4294967296 = 1")).toThrow(
          'never rewritten',
        );
        expect(() => raw.exec('DELETE FROM entries WHERE id % 4294967296 = 2')).toThrow('never deleted');
      });
    }));

  it('come in ranges that keep both limits, and one entry at least', () =>
    withDir((dir) => {
      const store = open(dir);
      appendLines(store, lines(10, 100));
      const seqs = (from: number, maxEntries: number, maxBytes: number): number[] =>
        store.entries.range(1, from, { maxEntries, maxBytes }).map(({ seq }) => seq);
      expect(seqs(0, 3, 10_000)).toEqual([0, 1, 2]);
      expect(seqs(4, 100, 303)).toEqual([4, 5, 6]);
      expect(seqs(4, 100, 302)).toEqual([4, 5]);
      expect(seqs(4, 100, 1)).toEqual([4]);
      expect(seqs(8, 100, 10_000)).toEqual([8, 9]);
      expect(seqs(10, 100, 10_000)).toEqual([]);
      store.close();
    }));

  it('are listed by kind, in both directions, within bounds', () =>
    withDir((dir) => {
      const store = open(dir);
      appendLines(store, lines(10));
      const seqs = (filter: Parameters<typeof store.entries.list>[1]): number[] =>
        store.entries.list(1, filter).map(({ seq }) => seq);
      expect(seqs({ limit: 3 })).toEqual([0, 1, 2]);
      expect(seqs({ limit: 3, newestFirst: true })).toEqual([9, 8, 7]);
      expect(seqs({ limit: 9, kind: 'heartbeat' })).toEqual([3, 6, 9]);
      expect(seqs({ limit: 9, kind: 'heartbeat', fromSeq: 4, toSeq: 9 })).toEqual([6]);
      expect(store.entries.countKinds(1, 1, 7)).toEqual({ finding: 4, heartbeat: 2 });
      expect(store.entries.tail(1, 2).map(({ seq, leaf }) => [seq, leaf.length])).toEqual([
        [8, 32],
        [9, 32],
      ]);
      store.close();
    }));

  it('of two epochs do not mix', () =>
    withDir((dir) => {
      const store = open(dir);
      appendLines(store, lines(3), 1);
      appendLines(store, lines(5), 2);
      expect(store.entries.epochs()).toEqual([1, 2]);
      expect([1, 2].map((epoch) => store.entries.state(epoch).size)).toEqual([3, 5]);
      store.close();
    }));
});
