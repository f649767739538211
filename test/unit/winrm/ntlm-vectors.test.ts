import { describe, expect, it } from 'vitest';
import { writeAvPairs } from '../../../agent/winrm/av-pairs.ts';
import { md4 } from '../../../agent/winrm/md4.ts';
import { hmacMd5, ntowfV2, ntProof, proofInput, sessionKeys } from '../../../agent/winrm/ntlm-keys.ts';
import { Rc4 } from '../../../agent/winrm/rc4.ts';
import { NtlmDirection } from '../../../agent/winrm/seal.ts';
import { expectCode } from '../../support/expect-code.ts';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

describe('MD4', () => {
  // RFC 1320, appendix A.5.
  const VECTORS: readonly (readonly [string, string])[] = [
    ['', '31d6cfe0d16ae931b73c59d7e0c089c0'],
    ['a', 'bde52cb31de33e46245e05fbdbd6fb24'],
    ['abc', 'a448017aaf21d8525fc10ae87aa6729d'],
    ['message digest', 'd9130a8164549fe818874806e1c7014b'],
    ['abcdefghijklmnopqrstuvwxyz', 'd79e1c308aa5bbcdeea8ed63df412da9'],
    ['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789', '043f8582f241db351ce627e153e7f0e4'],
    [
      '12345678901234567890123456789012345678901234567890123456789012345678901234567890',
      'e33b4ddc9c38f2199c3e7b164fcc0536',
    ],
  ];

  it.each(VECTORS)('has the digest of RFC 1320 for %j', (text, digest) => {
    expect(md4(Buffer.from(text)).toString('hex')).toBe(digest);
  });
});

describe('RC4', () => {
  // RFC 6229, section 2, the first 16 bytes of the key streams of a 40-bit and a 128-bit key.
  const VECTORS: readonly (readonly [string, string])[] = [
    ['0102030405', 'b2396305f03dc027ccc3524a0a1118a8'],
    ['0102030405060708090a0b0c0d0e0f10', '9ac7cc9a609d1ef7b2932899cde41b97'],
  ];

  it.each(VECTORS)('has the key stream of RFC 6229 for the key %s', (key, first) => {
    expect(new Rc4(hex(key)).apply(Buffer.alloc(16)).toString('hex')).toBe(first);
  });

  it('goes on where the last call ended', () => {
    const whole = new Rc4(hex('0102030405')).apply(Buffer.alloc(1_000));
    const pieces = new Rc4(hex('0102030405'));
    expect(Buffer.concat([pieces.apply(Buffer.alloc(7)), pieces.apply(Buffer.alloc(993))]).equals(whole)).toBe(true);
  });
});

// MS-NLMP 4.2.1 and 4.2.4: one logon with values that everybody can compute.
const SERVER_CHALLENGE = hex('0123456789abcdef');
const CLIENT_CHALLENGE = Buffer.alloc(8, 0xaa);
const EXPORTED_KEY = Buffer.alloc(16, 0x55);
const TARGET_INFO = writeAvPairs([
  { id: 2, value: Buffer.from('Domain', 'utf16le') },
  { id: 1, value: Buffer.from('Server', 'utf16le') },
]);

describe('NTLMv2 against the example of MS-NLMP 4.2.4', () => {
  const userKey = ntowfV2('Password', 'User', 'Domain');
  const proof = ntProof(userKey, SERVER_CHALLENGE, proofInput(Buffer.alloc(8), CLIENT_CHALLENGE, TARGET_INFO));
  const baseKey = hmacMd5(userKey, proof);

  it('derives the key of the user', () => {
    expect(userKey.toString('hex')).toBe('0c868a403bfd7a93a3001ef22ef02e3f');
  });

  it('computes NTProofStr and the session base key', () => {
    expect(proof.toString('hex')).toBe('68cd0ab851e51c96aabc927bebef6a1c');
    expect(baseKey.toString('hex')).toBe('8de40ccadbc14a82f15cb0ad0de95ca3');
  });

  it('encrypts the session key that it chose', () => {
    expect(new Rc4(baseKey).apply(EXPORTED_KEY).toString('hex')).toBe('c5dad2544fc9799094ce1ce90bc9d03e');
  });

  it('derives the keys that the client seals and signs with', () => {
    const { client } = sessionKeys(EXPORTED_KEY);
    expect(client.seal.toString('hex')).toBe('59f600973cc4960a25480a7c196e4c58');
    expect(client.sign.toString('hex')).toBe('4788dc861b4782f35d43fd98fe1a2d39');
  });

  it('seals and signs the first message', () => {
    const { sealed, signature } = new NtlmDirection(sessionKeys(EXPORTED_KEY).client).seal(
      Buffer.from('Plaintext', 'utf16le'),
    );
    expect(sealed.toString('hex')).toBe('54e50165bf1936dc996020c1811b0f06fb5f');
    expect(signature.toString('hex')).toBe('010000007fb38ec5c55d497600000000');
  });

  it('upper-cases the name of the user and leaves the domain and letters without a single upper case alone', () => {
    expect(ntowfV2('Password', 'uSER', 'Domain').equals(userKey)).toBe(true);
    expect(ntowfV2('Password', 'User', 'DOMAIN').equals(userKey)).toBe(false);
    expect(ntowfV2('x', 'straße', '').equals(ntowfV2('x', 'STRAßE', ''))).toBe(true);
    expect(ntowfV2('x', 'straße', '').equals(ntowfV2('x', 'STRASSE', ''))).toBe(false);
  });
});

describe('sealed messages of NTLM', () => {
  const pair = (): { from: NtlmDirection; to: NtlmDirection } => ({
    from: new NtlmDirection(sessionKeys(EXPORTED_KEY).server),
    to: new NtlmDirection(sessionKeys(EXPORTED_KEY).server),
  });

  it('open in the order in which they were sealed', () => {
    const { from, to } = pair();
    for (const text of ['one', 'two', '']) {
      const { sealed, signature } = from.seal(Buffer.from(text));
      expect(to.unseal(signature, sealed).toString()).toBe(text);
    }
  });

  it('are refused when one was left out, repeated, changed, or signed for the other direction', () => {
    const first = pair();
    first.from.seal(Buffer.from('lost'));
    const second = first.from.seal(Buffer.from('second'));
    expectCode(() => first.to.unseal(second.signature, second.sealed), 'winrm_seal_broken');

    const again = pair();
    const once = again.from.seal(Buffer.from('once'));
    again.to.unseal(once.signature, once.sealed);
    expectCode(() => again.to.unseal(once.signature, once.sealed), 'winrm_seal_broken');

    for (let byte = 0; byte < 16; byte += 1) {
      const { from, to } = pair();
      const { sealed, signature } = from.seal(Buffer.from('message'));
      signature[byte]! ^= 1;
      expectCode(() => to.unseal(signature, sealed), 'winrm_seal_broken');
    }
    const changed = pair();
    const message = changed.from.seal(Buffer.from('message'));
    message.sealed[0]! ^= 1;
    expectCode(() => changed.to.unseal(message.signature, message.sealed), 'winrm_seal_broken');
    const other = new NtlmDirection(sessionKeys(EXPORTED_KEY).client).seal(Buffer.from('message'));
    expectCode(() => pair().to.unseal(other.signature, other.sealed), 'winrm_seal_broken');
    const short = pair().from.seal(Buffer.from('message'));
    expectCode(() => pair().to.unseal(short.signature.subarray(0, 15), short.sealed), 'winrm_seal_broken');
  });
});
