import { describe, it, expect } from 'vitest';
import { fingerprint } from '../../../agent/wire/fingerprint.ts';

// Expected values computed with Python: base64.b32encode(sha256(spki + digest).digest()[:10]).
const VECTORS: [string, string, string][] = [
  [
    'MCowBQYDK2VwAyEA0aWsmgFfrC73s0FnNjVRKhUR9B/jfREbJn8DnuxdT1g=',
    'd0508cb8ac4296ebff9aafb902978f0ef167b6c03aa332bef035b521aabe6a18',
    'G5ZI6MXB7VQXHZSK',
  ],
  [
    'MCowBQYDK2VwAyEAarnx6499M4j0+dWG9m6Z/VQIDfLERvDlhmiwnAihbdA=',
    '3de0c6d1959ece558ec030f37292e383a9c95f497e8235b89701b914be9bd1fb',
    'U2EBV5JXOWFOTCPK',
  ],
  [
    'MCowBQYDK2VwAyEAAV9+a8Wur0g3JAieklLME7UJUaa2lBJSJ2XP9NeAMG4=',
    'bf59d6a4564f9f49964ef377f398e35c7da2413e9d792c97dfdbbc9687ce8abc',
    'SNRWQWJ32WWOTFPP',
  ],
  [
    'MCowBQYDK2VwAyEAL1BSyf0VsZoYxYTQE2NWgZhhPww06EQJ73k4cJoVnsI=',
    '591843df2c4cfefdb70e85ae547ecfc13e8288581d2d7037b82eb3af8abca2f0',
    'WW6BUOVEHSL4DRAS',
  ],
];

describe('fingerprint of a device under a root', () => {
  it('equals the base32 of the first 80 bits as another implementation computes it', () => {
    for (const [spki, digest, expected] of VECTORS) expect(fingerprint(spki, digest)).toBe(expected);
  });
  it('changes with the root as well as with the device key', () => {
    const [spki, digest] = VECTORS[0] as [string, string, string];
    const other = (VECTORS[1] as [string, string, string])[0];
    const all = new Set([fingerprint(spki, digest), fingerprint(other, digest), fingerprint(spki, 'f'.repeat(64))]);
    expect(all.size).toBe(3);
  });
});
