import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256, sha256Hex } from '../../../agent/wire/digest.ts';
import { ed25519RawFromSpki, ed25519SpkiFromRaw, keyidOf } from '../../../agent/wire/keys.ts';
import { generateEd25519, signerFromPrivateKey, verifyWithNode } from '../../../agent/wire/node-signature.ts';
import { expectCode } from '../../support/expect-code.ts';

describe('digests', () => {
  // FIPS 180-4 examples.
  it.each([
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  ])('give the published SHA-256 of "%s"', (text, hex) => {
    expect(sha256Hex(text)).toBe(hex);
    expect(sha256(Buffer.from(text)).toString('hex')).toBe(hex);
  });

  it('read a string as UTF-8', () => {
    expect(sha256Hex('ü')).toBe(sha256Hex(Buffer.from('ü', 'utf8')));
  });
});

describe('public keys', () => {
  it('go from raw bytes to SPKI and back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (raw) => {
        const spki = ed25519SpkiFromRaw(raw);
        expect(ed25519RawFromSpki(spki).equals(raw)).toBe(true);
        expect(keyidOf(spki)).toBe(sha256Hex(Buffer.from(spki, 'base64')));
      }),
    );
  });

  // RFC 8410 section 10.1.
  it('read the example key of RFC 8410', () => {
    const raw = ed25519RawFromSpki('MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=');
    expect(raw.toString('hex')).toBe('19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1');
  });

  it.each([
    ['X25519', 'MCowBQYDK2VuAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE='],
    [
      'a key with a byte too many',
      Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.alloc(33)]).toString('base64'),
    ],
    ['a raw key', Buffer.alloc(32).toString('base64')],
    ['nothing', ''],
  ])('of another form are refused: %s', (_, spki) => {
    expectCode(() => ed25519RawFromSpki(spki), 'key_invalid');
    expectCode(() => verifyWithNode(spki, Buffer.from('x'), Buffer.alloc(64)), 'key_invalid');
  });

  it('in sloppy base64 are refused', () => {
    expectCode(() => keyidOf('MCow'.slice(0, 3)), 'base64_invalid');
  });

  it('of a wrong length are refused', () => {
    expectCode(() => ed25519SpkiFromRaw(Buffer.alloc(31)), 'key_invalid');
  });
});

describe('a signer', () => {
  it('signs what verifies, and nothing else verifies', () => {
    const { signer } = generateEd25519();
    const data = Buffer.from('what is signed');
    const sig = signer.sign(data);
    expect(sig).toHaveLength(64);
    expect(verifyWithNode(signer.spki, data, sig)).toBe(true);
    expect(verifyWithNode(signer.spki, Buffer.from('what is signee'), sig)).toBe(false);
    expect(verifyWithNode(signer.spki, data, sig.subarray(1))).toBe(false);
    expect(verifyWithNode(signer.spki, data, Buffer.concat([sig, Buffer.of(0)]))).toBe(false);
    expect(verifyWithNode(generateEd25519().signer.spki, data, sig)).toBe(false);
    expect(signer.keyid).toBe(keyidOf(signer.spki));
  });

  it('is not made from a key of another kind', () => {
    expectCode(() => signerFromPrivateKey(generateKeyPairSync('x25519').privateKey), 'key_invalid');
    expectCode(() => signerFromPrivateKey(generateKeyPairSync('ed25519').publicKey), 'key_invalid');
  });

  it('still verifies for the first key after two hundred others', () => {
    const first = generateEd25519().signer;
    const data = Buffer.from('x');
    const sig = first.sign(data);
    for (let n = 0; n < 200; n++) expect(verifyWithNode(generateEd25519().signer.spki, data, sig)).toBe(false);
    expect(verifyWithNode(first.spki, data, sig)).toBe(true);
  });
});
