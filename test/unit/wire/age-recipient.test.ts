import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAgeRecipient } from '../../../agent/wire/age-recipient.ts';

const LETTERS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';

describe('an age recipient', () => {
  it('is taken as another implementation makes it', async () => {
    for (let i = 0; i < 20; i++)
      expect(isAgeRecipient(await identityToRecipient(await generateX25519Identity()))).toBe(true);
  });

  it('with any one letter changed, or two exchanged, is refused', async () => {
    const good = await identityToRecipient(await generateX25519Identity());
    fc.assert(
      fc.property(fc.integer({ min: 4, max: good.length - 1 }), fc.constantFrom(...LETTERS.split('')), (at, letter) => {
        const bad = good.slice(0, at) + letter + good.slice(at + 1);
        const swapped = good.slice(0, at - 1) + good[at] + good[at - 1] + good.slice(at + 1);
        expect(isAgeRecipient(bad)).toBe(bad === good);
        if (at > 4) expect(isAgeRecipient(swapped)).toBe(swapped === good);
      }),
    );
  });

  it.each(['', 'age1', 'AGE1', 'ssh-ed25519 AAAA', `age1${'q'.repeat(58)}`, `age1pq1${'q'.repeat(55)}`])(
    'is not %j',
    (text) => expect(isAgeRecipient(text)).toBe(false),
  );

  it('is not one in capitals or with something behind it', async () => {
    const good = await identityToRecipient(await generateX25519Identity());
    expect([good.toUpperCase(), `${good}\n`, ` ${good}`].filter(isAgeRecipient)).toEqual([]);
  });
});
