// What the installer reads from a disk and writes to it before it needs device-mapper, on a loop device of this machine: whether a disk
// counts as installed must not hang on its partition table, and a disk that is in use stays untouched.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../agent/system/clock.ts';
import { createExec } from '../../agent/system/exec.ts';
import { createIds } from '../../agent/system/ids.ts';
import type { Exec } from '../../agent/system/ports.ts';
import { openPartnerFile } from '../../agent/trust/partner-file.ts';
import type { DiskFacts } from '../../iso/installer/disk-facts.ts';
import { FINISHED_LABEL, wipedRegions } from '../../iso/installer/layout.ts';
import { readDisks } from '../../iso/installer/read-disks.ts';
import { parseSettings } from '../../iso/installer/settings.ts';
import { STEPS, type Work } from '../../iso/installer/steps.ts';
import { wipe } from '../../iso/installer/wipe.ts';
import { until } from '../../tools/demo/process.ts';
import { expectCode } from '../support/expect-code.ts';
import { partnerFile } from '../support/partner-fixtures.ts';

const MIB = 1_048_576;
const DISK_BYTES = 2_000 * MIB;
const DETACH_MS = 300_000;
const TOOLS = ['losetup', 'sgdisk', 'partx', 'mkfs.vfat', 'cryptsetup', 'age', 'mkfs.ext4'];
const missing = TOOLS.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
const problem = process.getuid?.() !== 0 ? 'needs root' : missing.length > 0 ? `needs ${missing.join(', ')}` : null;

let dir: string;
let loop: string;
let work: Work;
const run = (...[command, ...args]: [string, ...string[]]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

/** lsblk of this one loop device, which passes for a disk: other tests have loop devices too. */
const exec: Exec = {
  run: async (argv, options) => {
    const real = createExec();
    if (argv[0] !== 'lsblk') return real.run(argv, options);
    const result = await real.run([...argv, loop], options);
    return { ...result, stdout: Buffer.from(result.stdout.toString().replaceAll('"loop"', '"disk"')) };
  },
};
/** A process that made a mount namespace of its own meanwhile (a container of another test) holds a copy of the mount for a while. */
const unmount = async (): Promise<void> => {
  run('umount', join(dir, 'mounted'));
  const isFree = (): true | null => {
    try {
      closeSync(openSync(loop, constants.O_RDWR | constants.O_EXCL));
      return true;
    } catch {
      return null;
    }
  };
  await until('a disk that nothing uses', isFree, DETACH_MS);
};
const look = async (): Promise<DiskFacts> => {
  const [disk, ...others] = await readDisks(exec);
  expect(others).toEqual([]);
  return disk!;
};
const steps = async (...names: string[]): Promise<void> => {
  const disk = await look();
  for (const { name, run: step } of STEPS) if (names.includes(name)) await step(work, disk);
};

beforeAll(() => {
  if (problem !== null) return;
  dir = mkdtempSync(join(tmpdir(), 'installer-loop-'));
  const image = join(dir, 'disk.img');
  writeFileSync(image, '');
  truncateSync(image, DISK_BYTES);
  loop = run('losetup', '--find', '--show', image).trim();
  const settings = {
    ...{
      schema: 'compliance-agent/installer-settings/v1',
      system: '/nix/store/abc',
      partner_file: '/p',
      boot_label: 'X',
    },
    ...{ root_sha256: 'ab'.repeat(32), provision_dir: '/var/lib/p', provision_gid: 396, tool_path: ['/usr/bin'] },
  };
  mkdirSync(join(dir, 'work/keys'), { recursive: true });
  work = {
    ...{
      exec,
      clock: systemClock,
      ids: createIds(systemClock),
      installId: '0123456789abcdef',
      workDir: join(dir, 'work'),
    },
    settings: parseSettings(JSON.stringify(settings), 'settings'),
    partner: openPartnerFile(partnerFile().text, { place: 'partner.json' }),
  };
});
beforeEach((context) => context.skip(problem !== null, problem ?? ''));
afterAll(() => {
  if (problem !== null) return;
  spawnSync('umount', [join(dir, 'mounted')]);
  spawnSync('partx', ['--delete', loop]);
  spawnSync('losetup', ['--detach', loop]);
  rmSync(dir, { recursive: true, force: true });
});

describe('a disk under the installer', () => {
  it('that a file system uses is not written, not one byte', async () => {
    run('mkfs.ext4', '-q', '-F', '-L', 'somebody', loop);
    mkdirSync(join(dir, 'mounted'));
    run('mount', loop, join(dir, 'mounted'));
    writeFileSync(join(dir, 'mounted/file'), 'kept');
    expectCode(() => wipe(loop, wipedRegions(DISK_BYTES)), 'installer_disk_in_use');
    expect(readFileSync(join(dir, 'mounted/file'), 'utf8')).toBe('kept');
    await unmount();
    expect(run('blkid', '--probe', '--output', 'value', '--match-tag', 'LABEL', loop).trim()).toBe('somebody');
  });

  it('that is mounted says where, and one that is labelled says how, without udev', async () => {
    run('mount', loop, join(dir, 'mounted'));
    expect(await look()).toMatchObject({ mounts: [join(dir, 'mounted')], labels: ['somebody'], installs: [] });
    await unmount();
  });

  it('is divided and encrypted, and does not count as installed before its label says so', async () => {
    await steps('erase', 'partition', 'esp', 'encrypt', 'recovery');
    const unfinished = { isFinished: false, installId: '0123456789abcdef' };
    const { installs, labels } = await look();
    expect(labels).toContain('CLINICBOOT');
    expect(installs.length).toBeGreaterThan(0);
    for (const found of installs) expect(found).toEqual(unfinished);
    const subsystem = ['--subsystem', 'compliance-agent:0123456789abcdef'];
    run('cryptsetup', 'config', '--label', FINISHED_LABEL, ...subsystem, `${loop}p2`);
    for (const found of (await look()).installs) expect(found).toEqual({ ...unfinished, isFinished: true });
  });

  it('of which one partition is mounted is in use as a whole', async () => {
    run('mkfs.ext4', '-q', '-F', `${loop}p1`);
    run('mount', `${loop}p1`, join(dir, 'mounted'));
    expect((await look()).mounts).toEqual([join(dir, 'mounted')]);
    expectCode(() => wipe(loop, wipedRegions(DISK_BYTES)), 'installer_disk_in_use');
    await unmount();
  });

  it('still counts as installed when its partition table, or one of its two headers, is gone', async () => {
    const finished = async (): Promise<boolean> => (await look()).installs.some(({ isFinished }) => isFinished);
    wipe(loop, [
      { start: 0, length: MIB },
      { start: DISK_BYTES - MIB, length: MIB },
    ]);
    run('partx', '--delete', loop);
    expect(run('lsblk', '--noheadings', '--raw', '--output', 'NAME', loop).trim().split('\n')).toHaveLength(1);
    expect(await finished()).toBe(true);
    wipe(loop, [{ start: 1_025 * MIB, length: 4_096 }]);
    expect(await finished()).toBe(true);
    wipe(loop, [{ start: 1_025 * MIB + 16_384, length: 4_096 }]);
    expect(await finished()).toBe(false);
  });

  it('counts as nothing once it was erased, and none of the keys opens it any more', async () => {
    await steps('partition', 'esp', 'encrypt');
    const key = join(work.workDir, 'keys/one-time.key');
    const opens = (): number | null =>
      spawnSync('cryptsetup', ['open', '--test-passphrase', '--key-file', key, `${loop}p2`]).status;
    expect(opens()).toBe(0);
    await steps('erase');
    expect((await look()).installs).toEqual([]);
    await steps('partition');
    expect(opens()).not.toBe(0);
  });
});
