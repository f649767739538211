import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readEncryption } from '../../../agent/facts/encryption.ts';

const LUKS = 'CRYPT-LUKS2-0123456789abcdef0123456789abcdef-data';
const SWAPS = 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sys-'));
  for (const made of ['sys/dev/block', 'sys/class/block', 'dev/mapper', 'proc/self'])
    mkdirSync(join(dir, made), { recursive: true });
  writeFileSync(join(dir, 'proc/swaps'), SWAPS);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A device as /sys shows it: on what it lies, and files of its own. */
function device(number: string, name: string, below: readonly string[] = [], files: Record<string, string> = {}): void {
  const at = join(dir, 'sys/devices', name);
  mkdirSync(join(at, 'slaves'), { recursive: true });
  for (const [path, content] of Object.entries({ dev: number, ...files })) {
    mkdirSync(join(at, path, '..'), { recursive: true });
    writeFileSync(join(at, path), `${content}\n`);
  }
  for (const one of below) symlinkSync(join(dir, 'sys/devices', one), join(at, 'slaves', one));
  symlinkSync(at, join(dir, 'sys/dev/block', number));
  symlinkSync(at, join(dir, 'sys/class/block', name));
  writeFileSync(join(dir, 'dev', name), '');
}
function mount(...lines: string[]): void {
  writeFileSync(join(dir, 'proc/self/mountinfo'), lines.map((line, i) => `${i} 1 ${line}\n`).join(''));
}
const read = () => readEncryption({ procDir: join(dir, 'proc'), sysDir: join(dir, 'sys'), devDir: join(dir, 'dev') });
const protections = (): string[] => read().volumes.map((volume) => volume.protection);

describe('what a volume lies on', () => {
  beforeEach(() => {
    device('8:1', 'sda1');
    device('8:2', 'sda2');
    device('8:17', 'sdb1');
    device('253:0', 'dm-0', ['sda2'], { 'dm/uuid': LUKS });
    device('253:1', 'dm-1', ['sdb1'], { 'dm/uuid': LUKS.replace('data', 'more') });
  });

  it.each<[string, string, () => void]>([
    ['a partition', 'clear', () => mount('8:1 / / rw - ext4 /dev/sda1 rw')],
    ['a LUKS volume', 'luks', () => mount('253:0 / / rw - ext4 /dev/mapper/data rw')],
    [
      'a logical volume on LUKS',
      'luks',
      () => {
        device('253:5', 'dm-5', ['dm-0'], { 'dm/uuid': 'LVM-abc' });
        mount('253:5 / / rw - ext4 /dev/mapper/vg-root rw');
      },
    ],
    [
      'a mirror of two LUKS volumes',
      'luks',
      () => {
        device('9:0', 'md0', ['dm-0', 'dm-1']);
        mount('9:0 / / rw - ext4 /dev/md0 rw');
      },
    ],
    [
      'a mirror of a LUKS volume and a plain partition',
      'clear',
      () => {
        device('9:0', 'md0', ['dm-0', 'sda1']);
        mount('9:0 / / rw - ext4 /dev/md0 rw');
      },
    ],
    [
      'LUKS on a mirror of plain disks',
      'luks',
      () => {
        device('9:0', 'md0', ['sda1', 'sdb1']);
        device('253:6', 'dm-6', ['md0'], { 'dm/uuid': LUKS });
        mount('253:6 / / rw - ext4 /dev/mapper/x rw');
      },
    ],
    [
      'a mapping that encrypts without a header',
      'other_crypt',
      () => {
        device('253:6', 'dm-6', ['sda1'], { 'dm/uuid': 'CRYPT-PLAIN-x' });
        mount('253:6 / / rw - ext4 /dev/mapper/x rw');
      },
    ],
    ['a device that /sys does not show', 'unidentified', () => mount('99:9 / / rw - ext4 /dev/x rw')],
    ['the network', 'unidentified', () => mount('0:50 / / rw - nfs4 server:/ rw')],
    ['a file system nobody knows', 'unidentified', () => mount('0:51 / / rw - newfs x rw')],
    ['an overlay', 'unidentified', () => mount('0:52 / / rw - overlay overlay rw,lowerdir=/x')],
  ])('%s: %s', (_what, expected, prepare) => {
    prepare();
    expect(protections()).toEqual([expected]);
  });

  it('btrfs counts with all its devices, not only the one that was mounted', () => {
    symlinkSync('../dm-0', join(dir, 'dev/mapper/data'));
    const members = join(dir, 'sys/fs/btrfs/0123/devices');
    mkdirSync(members, { recursive: true });
    mount('0:30 / / rw - btrfs /dev/mapper/data rw,subvol=/');
    expect(protections()).toEqual(['unidentified']);
    writeFileSync(join(members, 'dm-0'), '');
    expect(protections()).toEqual(['luks']);
    writeFileSync(join(members, 'sda1'), '');
    expect(protections()).toEqual(['clear']);
  });

  it('a file that is mounted is as safe as the file system that holds it', () => {
    device('7:0', 'loop0', [], { 'loop/backing_file': '/data/image' });
    const rest = ['7:0 / /mnt rw - ext4 /dev/loop0 rw', '8:1 / / rw - ext4 /dev/sda1 rw'];
    mount(...rest);
    expect(protections()).toEqual(['clear', 'clear']);
    mount(...rest, '253:0 / /data rw - ext4 /dev/mapper/data rw');
    expect(protections()).toEqual(['luks', 'clear', 'luks']);
  });

  it('a file that is mounted on itself does not go on for ever', () => {
    device('7:0', 'loop0', [], { 'loop/backing_file': '/image' });
    mount('7:0 / / rw - ext4 /dev/loop0 rw');
    expect(read).toThrow(expect.objectContaining({ reason: 'unparsable' }));
  });

  it('a volume that is mounted at two places is one, with both of them', () => {
    mount('8:1 / /b rw - ext4 /dev/sda1 rw', '8:1 /x /a rw - ext4 /dev/sda1 rw', '0:5 / /proc rw - proc proc rw');
    expect(read().volumes).toEqual([{ mountPoints: ['/a', '/b'], use: 'mounted', protection: 'clear', headers: [] }]);
  });

  it('swap on a partition, in a file and in memory is followed too', () => {
    device('252:0', 'zram0', [], { backing_dev: 'none' });
    mount('253:0 / / rw - ext4 /dev/mapper/data rw');
    const swaps = ['/dev/sda1 partition 1 0 -2', '/swapfile file 1 0 -3', '/dev/zram0 partition 1 0 5'];
    writeFileSync(join(dir, 'proc/swaps'), `${SWAPS}${swaps.join('\n')}\n`);
    expect(read().volumes.map(({ use, protection }) => [use, protection])).toEqual([
      ['mounted', 'luks'],
      ['swap', 'clear'],
      ['swap', 'luks'],
    ]);
    writeFileSync(join(dir, 'sys/devices/zram0/backing_dev'), '/dev/sda1\n');
    expect(protections()).toEqual(['luks', 'clear', 'luks', 'clear']);
  });

  it('a header whose device is hidden from this process is denied, so that what root read may stand in', () => {
    mount('253:0 / / rw - ext4 /dev/mapper/data rw');
    rmSync(join(dir, 'dev/sda2'));
    expect(read).toThrow(expect.objectContaining({ reason: 'denied' }));
  });

  it('a btrfs and a swap whose devices are hidden from this process are denied as well', () => {
    mount('0:30 / / rw - btrfs /dev/mapper/hidden rw');
    expect(read).toThrow(expect.objectContaining({ reason: 'denied' }));
    mount('253:0 / / rw - ext4 /dev/mapper/data rw');
    writeFileSync(join(dir, 'proc/swaps'), `${SWAPS}/dev/dm-9 partition 1 0 -2\n`);
    expect(read).toThrow(expect.objectContaining({ reason: 'denied' }));
  });

  it('a list of swap that is none is unparsable', () => {
    mount('253:0 / / rw - ext4 /dev/mapper/data rw');
    writeFileSync(join(dir, 'proc/swaps'), 'nothing');
    expect(read).toThrow(expect.objectContaining({ reason: 'unparsable' }));
  });
});
