import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeReceipt } from '../../../agent/uplink/judge-receipt.ts';
import { judgeStored } from '../../../agent/uplink/judge-stored.ts';
import { extend, type Mark } from '../../../agent/uplink/upload-mark.ts';
import { CompactRange, leafHash, rootOfLeaves } from '../../../agent/wire/merkle.ts';
import { expectCode } from '../../support/expect-code.ts';
import type { Receipt } from '../../../agent/wire/schemas/checkin.ts';

const EMPTY: Mark = { size: 0, bytes: 0, range: CompactRange.from(0, []) };

describe('comparing what Central Command holds with what we hold', () => {
  const rootAt = (size: number): string => `root-${size}`;

  it('never moves the pointer forwards and never below what Central Command holds', () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.nat(1_000), fc.nat(1_000), (size, pointerRaw, stored) => {
        const pointer = Math.min(pointerRaw, size);
        const judged = judgeStored({ size: stored, root: rootAt(stored) }, { size, pointer, pruned: 0 }, rootAt);
        expect(judged.pointer).toBe(stored > size ? pointer : Math.min(pointer, stored));
        expect(judged.diverged === null).toBe(stored <= size);
      }),
    );
  });

  it('sees another root at any size that it can compute, and says nothing where it cannot', () => {
    const own = { size: 10, pointer: 5, pruned: 0 };
    expect(judgeStored({ size: 7, root: 'other' }, own, rootAt).diverged).toMatchObject({ size: 7, ours: 'root-7' });
    expect(judgeStored({ size: 7, root: 'other' }, own, () => null).diverged).toBeNull();
  });
});

describe('judging a receipt', () => {
  const receipt = (change: Partial<Receipt>): Receipt => ({ origin: 'o', size: 5, root: 'r', ...change }) as Receipt;
  const ours = { origin: 'o', minSize: 5, size: 9, root: 'r' };

  it('takes a receipt over what was sent, or over more that we hold', () => {
    judgeReceipt(receipt({}), ours);
    judgeReceipt(receipt({ size: 9 }), ours);
  });

  it.each([
    ['another log', { origin: 'p' }],
    ['less than was sent', { size: 4 }],
    ['more than we hold', { size: 10 }],
  ])('refuses a receipt for %s', (_name, change) => {
    expectCode(() => judgeReceipt(receipt(change), ours), 'receipt_mismatch');
  });

  it('refuses a receipt over another root', () => {
    expectCode(() => judgeReceipt(receipt({ root: 's' }), ours), 'evidence_diverged');
  });
});

describe('the tree at the upload pointer', () => {
  it('is the same however the lines are cut into batches', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 60 }), fc.array(fc.nat(20), { maxLength: 10 }), (lines, cuts) => {
        let mark = EMPTY;
        let at = 0;
        for (const cut of [...cuts, lines.length]) {
          const batch = lines.slice(at, at + cut).map((line) => ({ line }));
          const before = mark.range.root();
          const next = extend(mark, batch);
          // The mark that was there is not changed by what comes after it.
          expect(mark.range.root()).toEqual(before);
          mark = next;
          at += batch.length;
        }
        expect(mark.size).toBe(lines.length);
        expect(mark.bytes).toBe(lines.reduce((sum, line) => sum + line.length, 0));
        expect(mark.range.root()).toEqual(rootOfLeaves(lines.map((line) => leafHash(line))));
      }),
    );
  });
});
