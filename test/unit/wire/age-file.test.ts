import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { armoredAgeFile, isAgeFile, MAX_SEALED_BYTES } from '../../../agent/wire/age-file.ts';
import { makeOwner, sealedWithPassphrase, type Owner } from '../../support/sealed-keys.ts';

let owner: Owner;
let armored: string;
let binary: Buffer;
beforeAll(async () => {
  owner = await makeOwner();
  armored = await owner.seal('recovery key: of nobody');
  binary = await owner.sealBinary('recovery key: of nobody');
});

describe('a file that age sealed to public keys', () => {
  it('is known with its armour and without, and can be opened after the armour was made anew', async () => {
    expect([isAgeFile(Buffer.from(armored)), isAgeFile(binary)]).toEqual([true, true]);
    for (const file of [Buffer.from(armored), Buffer.from(armored.replaceAll('\n', '\r\n')), binary]) {
      expect(await owner.open(armoredAgeFile(file))).toBe('recovery key: of nobody');
    }
    expect(armoredAgeFile(Buffer.from(armored))).toBe(`${armored.trimEnd()}\n`);
    expect(isAgeFile(await owner.sealBinary('x'.repeat(9_000)))).toBe(true);
  });

  it('is none where the secret itself lies in its place, or what merely begins or ends like one', async () => {
    const text = 'recovery key: cbdefghi-jklnrtuv\n';
    const version = 'age-encryption.org/v1\n';
    const none: Buffer[] = [
      ...['', text, version, `${version}${text}`, `${version}-> X25519 abc\n${text}`, `${text}${armored}`],
      ...[`${armored}${text}`, armored.slice(0, -40), armored.replace('AGE ENCRYPTED', 'PRIVATE'), '-----'],
      armored.replace(/\n(?=-----END)/, `\n${text}`),
      `-----BEGIN AGE ENCRYPTED FILE-----\n${Buffer.from(text).toString('base64')}\n-----END AGE ENCRYPTED FILE-----\n`,
    ].map((one) => Buffer.from(one));
    const header = binary.indexOf('\n--- ');
    none.push(binary.subarray(0, header + 49), binary.subarray(1), await sealedWithPassphrase(text));
    expect(none.map((one) => isAgeFile(one))).toEqual(none.map(() => false));
    expect(isAgeFile(await owner.sealBinary('x'.repeat(MAX_SEALED_BYTES)))).toBe(false);
  });

  it('is never taken for one when it is text, whatever the text is (property)', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 500 }), fc.boolean(), (text, begins) => {
        expect(isAgeFile(Buffer.from(begins ? `age-encryption.org/v1\n${text}` : text))).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});
