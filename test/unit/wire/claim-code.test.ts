import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLAIM_ALPHABET, claimAlias, claimCodeText, parseTypedClaim } from '../../../agent/wire/claim-code.ts';

const anyCode = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const asTyped = (text: string) => fc.constantFrom(text, text.toLowerCase(), text.replaceAll('-', ' '), ` ${text} `);

describe('a claim code as people see it', () => {
  it('is read back as it was, however it is spaced and spelled, also behind the # of an address', () => {
    fc.assert(
      fc.property(
        anyCode.chain((code) => fc.tuple(fc.constant(code), asTyped(claimCodeText(code)))),
        ([code, typed]) => {
          expect(parseTypedClaim(typed)).toEqual({ code });
          expect(parseTypedClaim(`https://central.example:8443/claim#${typed.trim()}`)).toEqual({ code });
        },
      ),
    );
  });

  it('holds no character that is mistaken for another, and neither does its alias', () => {
    expect(new Set(CLAIM_ALPHABET).size).toBe(32);
    fc.assert(
      fc.property(anyCode, (code) => {
        expect(claimCodeText(code)).toMatch(/^[A-HJ-NP-Z2-9]{4}(?:-[A-HJ-NP-Z2-9]{4}){6}$/);
        expect(claimAlias(code)).toMatch(/^[A-HJ-NP-Z2-9]{8}$/);
        expect(parseTypedClaim(claimAlias(code))).toEqual({ alias: claimAlias(code) });
      }),
    );
  });

  it('is not taken with one character exchanged, but for one mistake in a thousand', () => {
    const wrong = fc.tuple(anyCode, fc.nat(27), fc.nat(31));
    let taken = 0;
    let tried = 0;
    for (const [code, at, by] of fc.sample(wrong, { numRuns: 4_000, seed: 7 })) {
      const text = claimCodeText(code).replaceAll('-', '');
      const other = text.slice(0, at) + CLAIM_ALPHABET.charAt(by) + text.slice(at + 1);
      if (other === text) continue;
      tried += 1;
      if (parseTypedClaim(other) !== null) taken += 1;
    }
    expect(taken / tried).toBeLessThan(0.003);
  });

  it.each(['', '#', 'ABCD', 'ABCDEFGHI', 'O0I1O0I1', 'ABCDEFG!', 'A'.repeat(10_000), 'äöüäöüäö'])(
    'is not %s',
    (text) => {
      expect(parseTypedClaim(text)).toBeNull();
    },
  );
});
