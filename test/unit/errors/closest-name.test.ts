import { describe, it, expect } from 'vitest';
import fc from 'fast-check';
import { closestName, editDistance } from '../../../agent/errors/closest-name.ts';

describe('editDistance', () => {
  it.each([
    ['', '', 0],
    ['abc', 'abc', 0],
    ['abc', 'abd', 1],
    ['abc', 'ab', 1],
    ['abc', 'abcd', 1],
    ['abc', 'acb', 1],
    ['kitten', 'sitting', 3],
    ['', 'xyz', 3],
  ])('counts the edits from "%s" to "%s"', (a, b, expected) => {
    expect(editDistance(a, b)).toBe(expected);
  });

  it('is symmetric, zero only for equal words and never more than the longer word', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        const distance = editDistance(a, b);
        expect(distance).toBe(editDistance(b, a));
        expect(distance === 0).toBe(a === b);
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });
});

describe('closestName', () => {
  const names = ['run', 'status', 'check', 'evidence', 'orders', 'config'];
  it.each([
    ['statsu', 'status'],
    ['evidense', 'evidence'],
    ['STATUS', 'status'],
    ['order', 'orders'],
    ['xyz', null],
    ['', null],
    ['c'.repeat(500), null],
  ])('finds for "%s" the name %s', (word, expected) => {
    expect(closestName(word, names)).toBe(expected);
  });
});
