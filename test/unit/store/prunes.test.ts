import { describe, expect, it } from 'vitest';
import type { Store } from '../../../agent/store/open-store.ts';
import { withDir } from '../../support/evidence-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';
import { appendLines, AT, identity, open, withRaw } from '../../support/store-fixtures.ts';

const SIZE = 40;
const { origin } = identity;
const lines = Array.from({ length: SIZE }, (_, i) => `line ${i}`);
const step = { keep: [] as number[], receiptSize: 30, checkpointSize: 30, at: AT };

function covered(store: Store, name = origin): void {
  appendLines(store, lines);
  store.uplink.saveReceipt({ origin: name, size: 30, root: '0a'.repeat(32), line: '{}', at: AT });
  store.checkpoints.save({ origin: name, size: 30, root: '0a'.repeat(32), note: 'note', at: AT });
}

const withStore = (fn: (store: Store, dir: string) => void): void =>
  withDir((dir) => {
    const store = open(dir);
    try {
      fn(store, dir);
    } finally {
      store.close();
    }
  });

const held = (store: Store): number[] => store.entries.list(1, { limit: 100 }).map(({ seq }) => seq);

describe('pruned lines', () => {
  it('are gone up to the bound but for entry 0 and those that are to stay, and their bytes are known', () =>
    withStore((store) => {
      covered(store);
      expect(store.prunes.get(1)).toBe(null);
      expect(store.prunes.advance(1, { ...step, to: 20, keep: [7, 12] })).toBe(17);
      expect(held(store)).toEqual([0, 7, 12, ...Array.from({ length: 20 }, (_, i) => 20 + i)]);
      const bytes = lines.slice(0, 20).join('').length;
      const kept = [0, 7, 12].map((seq) => lines[seq]).join('').length;
      expect(store.prunes.get(1)).toEqual({
        ...{ size: 20, bytes, removedBytes: bytes - kept },
        receiptSize: 30,
        checkpointSize: 30,
        at: AT,
      });
      expect(store.prunes.advance(1, { ...step, to: 21 })).toBe(1);
    }));

  it('leave nothing that reads as if it stood in their place', () =>
    withStore((store) => {
      covered(store);
      store.prunes.advance(1, { ...step, to: 20, keep: [1, 7] });
      const limits = { maxEntries: 100, maxBytes: 1e6 };
      expect(store.entries.range(1, 0, limits).map(({ seq }) => seq)).toEqual([0, 1]);
      expect(store.entries.range(1, 5, limits)).toEqual([]);
      expect(store.entries.range(1, 20, limits)).toHaveLength(20);
      expect(store.entries.leaves(1, 0, 20)).toHaveLength(64);
      expect(store.entries.leaves(1, 2, 20)).toHaveLength(0);
    }));

  it.each([
    ['without any receipt', (store: Store) => void appendLines(store, lines), 20],
    ['under a receipt for another log', (store: Store) => covered(store, origin.replace(/1$/, '11')), 20],
    ['beyond what the receipt covers', covered, 31],
  ])('are refused by the database itself %s', (_name, fill, to) =>
    withStore((store) => {
      fill(store);
      expectCode(() => store.prunes.advance(1, { ...step, to }), 'internal');
      expect(store.prunes.get(1)).toBe(null);
      expect(held(store)).toHaveLength(SIZE);
    }),
  );

  it('cannot be more than that by another tool either', () =>
    withDir((dir) => {
      const store = open(dir);
      covered(store);
      store.prunes.advance(1, { ...step, to: 20 });
      store.close();
      withRaw(dir, (raw) => {
        expect(() => raw.exec('DELETE FROM entries WHERE id % 4294967296 = 20')).toThrow('never deleted');
        expect(() => raw.exec('DELETE FROM entries WHERE id % 4294967296 = 0')).toThrow('never deleted');
        expect(() => raw.exec('UPDATE prunes SET size = 30, receipt_size = 31')).toThrow('only under a receipt');
        expect(() => raw.exec('UPDATE prunes SET size = 10')).toThrow('does not come back');
        expect(() => raw.exec('DELETE FROM prunes')).toThrow('stays known');
      });
    }));

  it('make the file one that programs without pruning refuse, and the store is sound', () =>
    withDir((dir) => {
      const store = open(dir);
      covered(store);
      const readableFrom = (): unknown =>
        withRaw(dir, (raw) => raw.prepare("SELECT value FROM meta WHERE key = 'readable_from'").pluck().get());
      expect(readableFrom()).toBe('1');
      store.prunes.advance(1, { ...step, to: 20 });
      expect(readableFrom()).toBe('3');
      expect(store.pragmaCheck()).toBe('ok');
      store.close();
      open(dir).close();
      expect(readableFrom()).toBe('3');
    }));
});
