import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBase64 } from '../../../agent/wire/base64.ts';
import { expectCode } from '../../support/expect-code.ts';

describe('base64', () => {
  it('decodes what the standard encoder writes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeBase64(Buffer.from(bytes).toString('base64')).equals(bytes)).toBe(true);
      }),
    );
  });

  // RFC 4648 section 10.
  it.each([
    ['', ''],
    ['f', 'Zg=='],
    ['fo', 'Zm8='],
    ['foo', 'Zm9v'],
    ['foob', 'Zm9vYg=='],
    ['fooba', 'Zm9vYmE='],
    ['foobar', 'Zm9vYmFy'],
  ])('reads the vector of RFC 4648 for "%s"', (plain, encoded) => {
    expect(decodeBase64(encoded).toString()).toBe(plain);
  });

  it.each([
    ['no padding', 'Zg'],
    ['too little padding', 'Zg='],
    ['too much padding', 'Zm9v===='],
    ['stray bits in the last digit', 'Zh=='],
    ['stray bits before one pad', 'Zm9='],
    ['the URL alphabet', '-_-_'],
    ['a space', 'Zm9v '],
    ['a line feed inside', 'Zm9v\nZm9v'],
    ['padding inside', 'Zg==Zg=='],
    ['a letter outside of the alphabet', 'Zm9*'],
    ['one digit', 'Z'],
    ['a letter with the low byte of a digit', 'Zm9\u0176'],
  ])('refuses %s', (_, encoded) => {
    expectCode(() => decodeBase64(encoded), 'base64_invalid');
  });

  it('accepts no two spellings of the same bytes', () => {
    fc.assert(
      fc.property(fc.base64String({ maxLength: 12 }), fc.string({ maxLength: 2 }), fc.nat(12), (text, extra, at) => {
        const other = text.slice(0, at) + extra + text.slice(at);
        if (other === text) return;
        let decoded: Buffer;
        try {
          decoded = decodeBase64(other);
        } catch {
          return;
        }
        expect(decoded.toString('base64')).toBe(other);
      }),
    );
  });
});
