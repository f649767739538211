import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openerAt } from '../../../agent/cli/helper.ts';
import { sealDisk, type DiskPort } from '../../../agent/helpers/seal-disk.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { fakeExec, type FakeExec, type FakeProgram } from '../../support/fakes/fake-exec.ts';

/** The header of a volume, and the programs that work on it; `cut` stands for a power cut before that call. */
interface Volume {
  slots: string[];
  tpm: string[];
  hasTpm: boolean;
  tpmOpens: boolean;
  cut: number;
}

let dir: string;
let port: DiskPort;
let volume: Volume;
let exec: FakeExec;

const POWER_CUT = 'power cut';

function programs(): FakeExec {
  let calls = 0;
  const done = (act: () => FakeProgram | void): FakeProgram => {
    calls += 1;
    if (calls === volume.cut) throw new Error(POWER_CUT);
    return act() ?? {};
  };
  const failed: FakeProgram = { code: 1, stderr: 'no TPM2 device' };
  return fakeExec({
    cryptsetup: (argv) =>
      done(() => {
        switch (argv[1]) {
          case 'luksDump': {
            const token = { type: 'systemd-tpm2', keyslots: volume.tpm };
            const keyslots = Object.fromEntries(volume.slots.map((slot) => [slot, {}]));
            return { stdout: JSON.stringify({ keyslots, tokens: volume.tpm.length === 0 ? {} : { 0: token } }) };
          }
          case 'luksKillSlot':
            volume.slots = volume.slots.filter((slot) => slot !== argv.at(-1));
            return;
          default:
            return;
        }
      }),
    'systemd-cryptenroll': (argv) =>
      done(() => {
        const wiped = argv.find((word) => word.startsWith('--wipe-slot='))?.split('=')[1];
        if (wiped !== undefined) {
          volume.slots = volume.slots.filter((slot) => slot !== wiped);
          volume.tpm = volume.tpm.filter((slot) => slot !== wiped);
          return;
        }
        if (!volume.hasTpm) return failed;
        volume.slots = [...volume.slots, '2'];
        // The slot comes first, the token that names it after.
        calls += 1;
        if (calls === volume.cut) throw new Error(POWER_CUT);
        volume.tpm = ['2'];
        return;
      }),
    opener: (argv) => done(() => (argv[1] === 'detach' || volume.tpmOpens ? {} : failed)),
  });
}
const run = () => sealDisk(port, exec);

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'seal-disk-'));
  mkdirSync(join(dir, 'esp'));
  mkdirSync(join(dir, 'scratch'));
  port = {
    ...{ device: '/dev/disk/by-partlabel/clinic-root', keyFile: join(dir, 'esp/unlock.key') },
    ...{ scratchDir: join(dir, 'scratch'), opener: 'opener', tpm: undefined },
  };
  writeFileSync(port.keyFile, Buffer.alloc(64, 7));
  volume = { slots: ['0', '1'], tpm: [], hasTpm: true, tpmOpens: true, cut: 0 };
  exec = programs();
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('seal-disk', () => {
  it("gives the disk a key of the TPM, proves it by a copy of the header, and only then takes the installer's away", async () => {
    expect(await run()).toMatchObject({ outcome: 'done', details: { opens_with: 'tpm2', recovery_key: 'yes' } });
    expect([volume.slots, existsSync(port.keyFile)]).toEqual([['1', '2'], false]);
    const acts = exec.calls.filter(([, verb]) => verb !== 'luksDump').map((argv) => `${argv[0]} ${argv[1]}`);
    expect(acts).toEqual([
      `systemd-cryptenroll --unlock-key-file=${port.keyFile}`,
      'cryptsetup luksHeaderBackup',
      'opener attach',
      'opener detach',
      'cryptsetup luksKillSlot',
    ]);
    expect(readdirSync(port.scratchDir)).toEqual([]);
    expect(await run()).toMatchObject({ outcome: 'unchanged', details: { opens_with: 'tpm2' } });
  });

  it('without a TPM leaves everything as it is, and says what that means', async () => {
    volume.hasTpm = false;
    expect(await run()).toMatchObject({ outcome: 'unchanged', details: { opens_with: 'key_file' } });
    expect([volume.slots, existsSync(port.keyFile)]).toEqual([['0', '1'], true]);
  });

  it('with a TPM that does not open what it sealed drops that key again, and keeps the one that opens', async () => {
    volume.tpmOpens = false;
    expect(await run()).toMatchObject({ details: { opens_with: 'key_file' } });
    expect([volume.slots, volume.tpm, existsSync(port.keyFile)]).toEqual([['0', '1'], [], true]);
  });

  it('cut off at any call, leaves a disk that opens, and the next run ends what it began', async () => {
    for (let cut = 1; ; cut += 1) {
      volume = { slots: ['0', '1'], tpm: [], hasTpm: true, tpmOpens: true, cut };
      writeFileSync(port.keyFile, Buffer.alloc(64, 7));
      exec = programs();
      const isWhole = await run().then(
        () => true,
        (error: unknown) => {
          expect(String(error)).toContain(POWER_CUT);
          return false;
        },
      );
      if (isWhole) {
        expect(cut).toBeGreaterThan(8);
        return;
      }
      const opens =
        (volume.slots.includes('0') && existsSync(port.keyFile)) ||
        volume.tpm.some((slot) => volume.slots.includes(slot));
      expect([cut, opens, volume.slots.includes('1')]).toEqual([cut, true, true]);
      volume.cut = 0;
      exec = programs();
      expect(await run()).toMatchObject({ details: { opens_with: 'tpm2' } });
      expect([volume.slots.toSorted(), existsSync(port.keyFile)]).toEqual([['1', '2'], false]);
    }
  });

  it('finds the program that opens the volume where systemd has moved it, and where it was', () => {
    const [before, since] = [join(dir, 'lib/systemd/systemd-cryptsetup'), join(dir, 'bin/systemd-cryptsetup')];
    expect(openerAt(before)).toBe(before);
    mkdirSync(join(dir, 'bin'));
    writeFileSync(since, '');
    expect(openerAt(before)).toBe(since);
    mkdirSync(join(dir, 'lib/systemd'), { recursive: true });
    writeFileSync(before, '');
    expect(openerAt(before)).toBe(before);
  });

  it('does not touch a disk whose header it cannot read', async () => {
    exec = fakeExec({ cryptsetup: { code: 1, stderr: 'Device is not a valid LUKS device.' } });
    await expectCodeAsync(run, 'disk_not_ours');
    expect(existsSync(port.keyFile)).toBe(true);
  });

  it('a slot that cannot be destroyed is an error, and the key file stays', async () => {
    const all = programs();
    exec = {
      ...all,
      run: (argv, o) =>
        argv[1] === 'luksKillSlot' ? fakeExec({ cryptsetup: { code: 5 } }).run(argv, o) : all.run(argv, o),
    };
    await expectCodeAsync(run, 'disk_key_failed');
    expect(existsSync(port.keyFile)).toBe(true);
  });
});
