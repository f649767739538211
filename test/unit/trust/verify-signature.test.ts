import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { verify as nobleVerify } from '@noble/ed25519';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assertStrictKey, verifyByOne, verifyStrict } from '../../../agent/trust/verify-signature.ts';
import { ed25519SpkiFromRaw } from '../../../agent/wire/keys.ts';
import { generateEd25519, signerFromPrivateKey, verifyWithNode } from '../../../agent/wire/node-signature.ts';
import { expectCode } from '../../support/expect-code.ts';
import { vectorJson, vectorText } from '../../support/vectors.ts';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const WYCHEPROOF = 'ed25519/wycheproof-ed25519_test.json';

interface EdgeCase {
  readonly name: string;
  readonly key: string;
  readonly message: string;
  readonly signature: string;
  readonly strict: boolean;
  readonly node: boolean;
  readonly noble: boolean;
}
interface Wycheproof {
  readonly numberOfTests: number;
  readonly testGroups: readonly {
    readonly publicKey: { readonly pk: string };
    readonly tests: readonly {
      readonly tcId: number;
      readonly comment: string;
      readonly msg: string;
      readonly sig: string;
      readonly result: 'valid' | 'invalid';
    }[];
  }[];
}

function byNoble(key: Buffer, message: Buffer, signature: Buffer): boolean {
  try {
    return nobleVerify(signature, message, key, { zip215: false });
  } catch {
    return false;
  }
}

describe('the strict verifier', () => {
  const edges = vectorJson<{ cases: EdgeCase[] }>('ed25519/edge-cases.json').cases;
  const named = edges.map((edge) => [edge.name, edge] as const);

  it.each(named)('judges "%s" as the vector says', (_, { key, message, signature, strict }) => {
    expect(verifyStrict(ed25519SpkiFromRaw(hex(key)), hex(message), hex(signature))).toBe(strict);
  });

  it.each(named)(
    'is no looser on "%s" than each implementation alone',
    (_, { key, message, signature, strict, node, noble }) => {
      expect(verifyWithNode(ed25519SpkiFromRaw(hex(key)), hex(message), hex(signature))).toBe(node);
      expect(byNoble(hex(key), hex(message), hex(signature))).toBe(noble);
      if (strict) expect(node && noble).toBe(true);
    },
  );

  it.each(named)(
    'alone, node:crypto under a strict key judges "%s" no other',
    (_, { key, message, signature, strict }) => {
      expect(verifyByOne(ed25519SpkiFromRaw(hex(key)), hex(message), hex(signature))).toBe(strict);
    },
  );

  it('refuses signatures that noble alone accepts', () => {
    const names = edges.filter((e) => e.noble && !e.node && !e.strict).map((e) => e.name);
    expect(names).toEqual(
      expect.arrayContaining(['R plus a point of order 8', 'R plus a point of order 2', 'R of order 1']),
    );
  });

  it('refuses signatures that node:crypto and noble both accept, for the key is not torsion-free', () => {
    const names = edges.filter((e) => e.noble && e.node && !e.strict).map((e) => e.name);
    expect(names).toHaveLength(3);
    expect(names[0]).toBe('key plus a point of order 8, challenge a multiple of 8');
  });

  it('agrees with every vector of Wycheproof', () => {
    const suite = vectorJson<Wycheproof>(WYCHEPROOF);
    let count = 0;
    for (const { publicKey, tests } of suite.testGroups) {
      const spki = ed25519SpkiFromRaw(hex(publicKey.pk));
      for (const { tcId, comment, msg, sig, result } of tests) {
        expect(verifyStrict(spki, hex(msg), hex(sig)), `${tcId} ${comment}`).toBe(result === 'valid');
        expect(verifyWithNode(spki, hex(msg), hex(sig)), `${tcId} ${comment} (node)`).toBe(result === 'valid');
        count += 1;
      }
    }
    expect(count).toBe(suite.numberOfTests);
  });

  it.skipIf(process.env['TEST_VECTORS_DIR'] === undefined)(
    'is tested with the same Wycheproof file as TEST_VECTORS_DIR holds',
    () => {
      const theirs = readFileSync(join(process.env['TEST_VECTORS_DIR']!, 'wycheproof-ed25519_test.json'), 'utf8');
      expect(vectorText(WYCHEPROOF)).toBe(theirs);
    },
  );

  it('makes and accepts the signatures of RFC 8032', () => {
    interface Rfc {
      readonly cases: readonly Record<'name' | 'seed' | 'key' | 'message' | 'signature', string>[];
    }
    for (const { name, seed, key, message, signature } of vectorJson<Rfc>('ed25519/rfc8032.json').cases) {
      const der = Buffer.concat([hex('302e020100300506032b657004220420'), hex(seed)]);
      const signer = signerFromPrivateKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
      expect(signer.spki, name).toBe(ed25519SpkiFromRaw(hex(key)));
      expect(signer.sign(hex(message)).toString('hex'), name).toBe(signature);
      expect(verifyStrict(signer.spki, hex(message), hex(signature)), name).toBe(true);
    }
  });

  it('accepts what an honest key signs and refuses it with any bit changed', () => {
    const { signer } = generateEd25519();
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), fc.nat(511), fc.nat(), (data, bit, at) => {
        const sig = signer.sign(data);
        expect(verifyStrict(signer.spki, data, sig)).toBe(true);
        const changed = Buffer.from(sig);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        expect(verifyStrict(signer.spki, data, changed)).toBe(false);
        const other = Buffer.from(data);
        other[at % other.length]! ^= 1;
        expect(verifyStrict(signer.spki, other, sig)).toBe(false);
      }),
      { numRuns: 40 },
    );
  });

  it('answers false, and does not throw, for keys and signatures that are none', () => {
    const { signer } = generateEd25519();
    const data = Buffer.from('x');
    const sig = signer.sign(data);
    expect(verifyStrict('', data, sig)).toBe(false);
    expect(verifyStrict('not base64', data, sig)).toBe(false);
    expect(verifyStrict(Buffer.alloc(44).toString('base64'), data, sig)).toBe(false);
    expect(verifyStrict(signer.spki, data, Buffer.alloc(0))).toBe(false);
    expect(verifyStrict(signer.spki, data, sig.subarray(0, 63))).toBe(false);
    expect(verifyStrict(signer.spki, data, Buffer.concat([sig, Buffer.of(0)]))).toBe(false);
  });
});

describe('a strict key', () => {
  it('is one that a generator makes', () => {
    for (let n = 0; n < 20; n++) assertStrictKey(generateEd25519().signer.spki);
  });

  it.each([
    ['the identity', '0100000000000000000000000000000000000000000000000000000000000000'],
    ['the identity with a sign bit', '0100000000000000000000000000000000000000000000000000000000000080'],
    ['the identity written as 1 + p', 'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'],
    ['the point of order 2', 'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'],
    ['a point of order 4', '0000000000000000000000000000000000000000000000000000000000000000'],
    ['a point of order 4 with a sign bit', '0000000000000000000000000000000000000000000000000000000000000080'],
    ['a point of order 4 written as p', 'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'],
    ['a point of order 8', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'],
    ['another point of order 8', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa'],
    ['a number that is no point', '0200000000000000000000000000000000000000000000000000000000000000'],
    ['all ones', 'f'.repeat(64)],
  ])('is not %s', (_, raw) => {
    expectCode(() => assertStrictKey(ed25519SpkiFromRaw(hex(raw))), 'key_invalid');
  });

  it('is not one with a torsion component', () => {
    const { cases } = vectorJson<{ cases: EdgeCase[] }>('ed25519/edge-cases.json');
    const keys = cases.filter((c) => c.name.startsWith('key plus')).map((c) => c.key);
    expect(new Set(keys).size).toBe(3);
    for (const key of keys) {
      expect(expectCode(() => assertStrictKey(ed25519SpkiFromRaw(hex(key)), 'root key 3'), 'key_invalid').place).toBe(
        'root key 3',
      );
    }
  });

  it('is still checked after many others', () => {
    const bad = ed25519SpkiFromRaw(Buffer.alloc(32));
    for (let n = 0; n < 300; n++) assertStrictKey(generateEd25519().signer.spki);
    expectCode(() => assertStrictKey(bad), 'key_invalid');
  });
});
