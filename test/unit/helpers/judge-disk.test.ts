import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { nextDiskStep, readDiskKeys, type DiskKeys } from '../../../agent/helpers/judge-disk.ts';

const dump = (slots: string[], tpm: string[] = [], type = 'systemd-tpm2'): string =>
  JSON.stringify({
    keyslots: Object.fromEntries(slots.map((slot) => [slot, { type: 'luks2' }])),
    tokens: tpm.length === 0 ? {} : { 0: { type, keyslots: tpm, 'tpm2-blob': 'AA==' } },
    segments: {},
  });
const keys = (slots: string[], tpm: string[] = []): DiskKeys => ({ slots, tpm });

describe('the keys of a disk, read from its header', () => {
  it('are its slots, and those of them that a token of the TPM names', () => {
    expect(readDiskKeys(dump(['0', '1', '2'], ['2']))).toEqual(keys(['0', '1', '2'], ['2']));
    expect(readDiskKeys(dump(['0', '1'], ['7']))).toEqual(keys(['0', '1']));
    expect(readDiskKeys(dump(['0', '2'], ['2'], 'systemd-recovery'))).toEqual(keys(['0', '2']));
  });

  it.each(['', '{}', 'Device is not a LUKS device', '{"keyslots":[],"tokens":{}}'])('are not known from %j', (text) => {
    expect(readDiskKeys(text)).toBeNull();
  });
});

describe("the way from the installer's key to the TPM's", () => {
  it.each<[string, DiskKeys, boolean, object]>([
    ['a disk as the installer leaves it gets a key of the TPM', keys(['0', '1']), true, { step: 'enrol_tpm' }],
    ['a slot that was begun goes first', keys(['0', '1', '2']), true, { step: 'drop_slot', slot: '2' }],
    ['a key of the TPM is proven first', keys(['0', '1', '2'], ['2']), true, { step: 'prove_and_retire' }],
    ['also where the file is gone', keys(['0', '1', '2'], ['2']), false, { step: 'prove_and_retire' }],
    ['a file that opens nothing any more is removed', keys(['1', '2'], ['2']), true, { step: 'remove_file' }],
    ['then nothing is left to do', keys(['1', '2'], ['2']), false, { step: 'none', opensWith: 'tpm2' }],
    ['nothing can be added without a key', keys(['0', '1']), false, { step: 'none', opensWith: 'recovery_key' }],
    ["the recovery key alone is the owner's matter", keys(['1']), false, { step: 'none', opensWith: 'recovery_key' }],
  ])('%s', (_, known, isFileThere, expected) => {
    expect(nextDiskStep(known, isFileThere)).toEqual(expected);
  });

  it("whatever is found, the recovery key is never dropped, and the installer's only where a token of the TPM stands", () => {
    const slot = fc.constantFrom('0', '1', '2', '3', '31');
    fc.assert(
      fc.property(fc.uniqueArray(slot), fc.uniqueArray(slot), fc.boolean(), (slots, named, isFileThere) => {
        const tpm = slots.filter((one) => named.includes(one) && one !== '0' && one !== '1');
        const next = nextDiskStep({ slots, tpm }, isFileThere);
        if (next.step === 'drop_slot') expect(['0', '1', ...tpm]).not.toContain(next.slot);
        if (next.step === 'prove_and_retire') expect(tpm).not.toEqual([]);
        if (next.step === 'remove_file') expect(slots).not.toContain('0');
      }),
    );
  });
});
