import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  Aes128Gcm,
  Aes256Gcm,
  CipherSuite,
  DhkemP521HkdfSha512,
  DhkemX25519HkdfSha256,
  HkdfSha256,
  HkdfSha512,
} from '@hpke/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { freshHpkeKey, openHpke, sealHpke, type HpkeKeyPair } from '../../../agent/wire/hpke.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { referenceOpen, referenceSeal } from '../../support/hpke-reference.ts';
import { vectorJson } from '../../support/vectors.ts';

type Vector = Readonly<Record<'name' | 'info' | 'skRm' | 'pkRm' | 'enc' | 'pt' | 'aad' | 'ct', string>>;
const { vectors } = vectorJson<{ vectors: Vector[] }>('hpke/rfc9180.json');
const { vector: own } = vectorJson<{ vector: Vector & { skEm: string } }>('hpke/cfrg-x25519-aes256gcm.json');
const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const bytes = (text: string): ArrayBuffer => new Uint8Array(hex(text)).buffer;
const named = (name: string): Vector => vectors.find((vector) => vector.name === name)!;

const SUITES: Record<string, CipherSuite> = {
  'A.1.1': new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes128Gcm() }),
  'A.6.1': new CipherSuite({ kem: new DhkemP521HkdfSha512(), kdf: new HkdfSha512(), aead: new Aes256Gcm() }),
};
async function openVector(v: Vector, change: Partial<Vector> = {}): Promise<string> {
  const suite = SUITES[v.name]!;
  const w = { ...v, ...change };
  const recipientKey = await suite.kem.importKey('raw', bytes(w.skRm), false);
  const plain = await suite.open({ recipientKey, enc: bytes(w.enc), info: bytes(w.info) }, bytes(w.ct), bytes(w.aad));
  return Buffer.from(plain).toString('hex');
}
const flip = (text: string): string => (text.startsWith('0') ? '1' : '0') + text.slice(1);

const context = { info: Buffer.from('compliance-agent/targets/v1'), aad: randomBytes(40) };
/** The raw private key in PKCS #8 (RFC 8410, section 7). */
const keyOf = (v: Vector): HpkeKeyPair => ({
  publicKey: hex(v.pkRm),
  privateKey: createPrivateKey({ key: hex(`302e020100300506032b656e04220420${v.skRm}`), format: 'der', type: 'pkcs8' }),
});
const raw = (key: HpkeKeyPair): Buffer => key.privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(-32);

describe('HPKE of RFC 9180', () => {
  it.each(vectors)('opens the vector $name of the RFC, and none of its fields may be another', async (v) => {
    expect(await openVector(v)).toBe(v.pt);
    for (const field of ['info', 'aad', 'ct', 'enc'] as const) {
      await expect(openVector(v, { [field]: flip(v[field]) }), field).rejects.toThrow();
    }
  });

  it('opens the vector of exactly this suite in the file beside the RFC, and none of its fields may be another', async () => {
    const open = (v: Vector) =>
      openHpke(keyOf(v), hex(v.enc + v.ct), { info: hex(v.info), aad: hex(v.aad) }).then((b) => b.toString('hex'));
    expect(await open(own)).toBe(own.pt);
    for (const field of ['info', 'aad', 'ct', 'enc', 'skRm'] as const) {
      await expectCodeAsync(open({ ...own, [field]: flip(own[field]) }), 'hpke_unreadable');
    }
    const sealed = referenceSeal(hex(own.pkRm), hex(own.skEm), hex(own.pt), {
      ...{ info: hex(own.info), aad: hex(own.aad) },
      aead: 2,
    });
    expect(sealed.toString('hex')).toBe(own.enc + own.ct);
  });

  it('has a second implementation that agrees with the RFC where both know the suite', () => {
    const v = named('A.1.1');
    const o = { info: hex(v.info), aad: hex(v.aad), aead: 1 } as const;
    expect(referenceOpen(hex(v.skRm), hex(v.enc + v.ct), o).toString('hex')).toBe(v.pt);
    const ephemeral = hex('52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736');
    expect(referenceSeal(hex(v.pkRm), ephemeral, hex(v.pt), o).toString('hex')).toBe(v.enc + v.ct);
  });

  it('is the same in both directions as the second implementation, for any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.uint8Array({ maxLength: 60 }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        async (plain, aad, ephemeral) => {
          const key = freshHpkeKey();
          const o = { info: context.info, aad: Buffer.from(aad) };
          const sealed = await sealHpke(key.publicKey, Buffer.from(plain), o);
          expect(referenceOpen(raw(key), sealed, { ...o, aead: 2 })).toEqual(Buffer.from(plain));
          const other = referenceSeal(key.publicKey, Buffer.from(ephemeral), Buffer.from(plain), { ...o, aead: 2 });
          expect(await openHpke(key, other, o)).toEqual(Buffer.from(plain));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('opens with no other key, context or bytes, and says no more than that', async () => {
    const key = freshHpkeKey();
    const sealed = await sealHpke(key.publicKey, Buffer.from('secret'), context);
    expect((await openHpke(key, sealed, context)).toString()).toBe('secret');
    await expectCodeAsync(openHpke(freshHpkeKey(), sealed, context), 'hpke_unreadable');
    await expectCodeAsync(openHpke(key, sealed, { ...context, aad: randomBytes(40) }), 'hpke_unreadable');
    await expectCodeAsync(openHpke(key, sealed, { ...context, info: Buffer.from('other') }), 'hpke_unreadable');
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1;
      await expectCodeAsync(openHpke(key, changed, context), 'hpke_unreadable');
    }
    for (const length of [0, 31, 32, 47, sealed.length - 1]) {
      await expectCodeAsync(openHpke(key, sealed.subarray(0, length), context), 'hpke_unreadable');
    }
  });

  it('gives each message a key of its own: the same text is never sealed to the same bytes', async () => {
    const { publicKey } = freshHpkeKey();
    const sealed = await Promise.all([1, 2, 3].map(() => sealHpke(publicKey, Buffer.from('x'), context)));
    expect(new Set(sealed.map((s) => s.subarray(0, 32).toString('hex'))).size).toBe(3);
  });

  it('seals nothing to a key whose shared secret everybody knows', async () => {
    // Points of small order (RFC 7748, section 6.1): zero, one, and p − 1.
    const p1 = Buffer.from(`ec${'ff'.repeat(30)}7f`, 'hex');
    for (const weak of [Buffer.alloc(32), Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]), p1]) {
      await expectCodeAsync(sealHpke(weak, Buffer.from('secret'), context), 'key_invalid');
    }
  });

  it('reads the raw key out of an X25519 SPKI', () => {
    const { publicKey, privateKey } = freshHpkeKey();
    expect(createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(12)).toEqual(publicKey);
    expect(generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'der' })).toHaveLength(44);
    expect(createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })).asymmetricKeyType).toBe('x25519');
  });
});
