import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseDisk, isSameDisk, judgeDisks, type Wishes } from '../../../iso/installer/choose-disk.ts';
import type { DiskFacts } from '../../../iso/installer/disk-facts.ts';

const GB = 1_000_000_000;
const MINE = '0123456789abcdef';
const OTHER = 'fedcba9876543210';

const disk = (change: Partial<DiskFacts> = {}): DiskFacts => ({
  path: `/dev/${change.name ?? 'nvme0n1'}`,
  name: 'nvme0n1',
  sizeBytes: 128 * GB,
  transport: 'nvme',
  isRemovable: false,
  isHotplug: false,
  isReadOnly: false,
  mmcType: null,
  model: 'Model',
  serial: 'S1',
  mounts: [],
  labels: [],
  installs: [],
  ...change,
});
const wishes = (change: Partial<Wishes> = {}): Wishes => ({
  disk: null,
  reinstall: 'no',
  installId: MINE,
  bootLabel: 'CLINICINST',
  minDiskBytes: 14 * GB,
  ...change,
});
const emmc = disk({
  name: 'mmcblk0',
  transport: 'mmc',
  isHotplug: true,
  mmcType: 'MMC',
  sizeBytes: 16 * GB,
  serial: '',
});
const stick = disk({ name: 'sda', transport: 'usb', isRemovable: true, isHotplug: true, labels: ['CLINICINST'] });
const finished = (installId: string | null = OTHER) => disk({ installs: [{ isFinished: true, installId }] });

describe('the disk that is installed on', () => {
  it.each<[string, DiskFacts[], string]>([
    ['an NVMe disk', [disk()], 'nvme0n1'],
    ['a SATA disk', [disk({ name: 'sda', transport: 'sata' })], 'sda'],
    ['an eMMC chip, which the kernel calls pluggable', [emmc], 'mmcblk0'],
    ['the internal one beside the stick', [stick, disk({ name: 'sdb', transport: 'sata' })], 'sdb'],
    [
      'the internal one beside another stick and a card',
      [disk({ name: 'sdc', transport: 'usb' }), disk({ name: 'mmcblk1', transport: 'mmc', mmcType: 'SD' }), emmc],
      'mmcblk0',
    ],
    ['a disk with somebody else’s data', [disk({ labels: ['Windows', 'Recovery'] })], 'nvme0n1'],
    [
      'a disk whose installation was cut off',
      [disk({ installs: [{ isFinished: false, installId: MINE }] })],
      'nvme0n1',
    ],
  ])('is %s', (_what, disks, name) => {
    expect(chooseDisk(disks, wishes())).toMatchObject({ kind: 'install', disk: { name }, erases: 'whatever is there' });
  });

  it.each<[string, Partial<DiskFacts>, string]>([
    ['a USB disk', { transport: 'usb', isHotplug: true }, 'removable'],
    ['a card reader on USB', { transport: 'usb', mmcType: 'MMC' }, 'unknown_connection'],
    ['a USB disk that calls itself fixed', { transport: 'usb' }, 'unknown_connection'],
    ['a removable disk on a bus that is internal', { transport: 'sata', isRemovable: true }, 'removable'],
    ['a SATA disk in a bay that can be opened', { transport: 'sata', isHotplug: true }, 'removable'],
    ['a memory card', { transport: 'mmc', isHotplug: true, mmcType: 'SD' }, 'memory_card'],
    ['a card of a kind that nobody knows', { transport: 'mmc', mmcType: null }, 'memory_card'],
    ['a card whose bus is not told', { transport: null, mmcType: 'SD' }, 'memory_card'],
    ['a disk over iSCSI', { transport: 'iscsi' }, 'unknown_connection'],
    ['a disk over FireWire', { transport: 'sbp' }, 'unknown_connection'],
    ['a disk without a transport', { transport: null }, 'unknown_connection'],
    ['the stick, though it looks internal', { labels: ['CLINICINST'] }, 'is_the_stick'],
    ['a mounted disk', { mounts: ['/data'] }, 'in_use'],
    ['a disk that is swapped to', { mounts: ['[SWAP]'] }, 'in_use'],
    ['a read-only disk', { isReadOnly: true }, 'read_only'],
    ['an 8 GB disk', { sizeBytes: 8 * GB }, 'too_small'],
  ])('is never %s', (_what, change, objection) => {
    expect(judgeDisks([disk(change)], wishes())).toMatchObject([{ objection }]);
    expect(chooseDisk([disk(change)], wishes())).toMatchObject({ kind: 'refuse', code: 'installer_no_disk' });
    const named = chooseDisk([disk(change)], wishes({ disk: 'nvme0n1', reinstall: 'person' }));
    expect(named).toMatchObject({ kind: 'refuse', code: 'installer_disk_not_there' });
  });

  it('is none of two, and both are named', () => {
    const decision = chooseDisk([disk(), emmc], wishes());
    expect(decision).toMatchObject({ kind: 'refuse', code: 'installer_several_disks' });
    expect(JSON.stringify(decision)).toMatch(/nvme0n1.*mmcblk0/);
  });

  it.each([
    ['its name', 'mmcblk0', 'mmcblk0'],
    ['its serial number', 'S1', 'nvme0n1'],
  ])('is the one of two that somebody named by %s', (_how, named, name) => {
    expect(chooseDisk([disk(), emmc], wishes({ disk: named }))).toMatchObject({ kind: 'install', disk: { name } });
  });

  it('is none where the name fits two, or none', () => {
    const twins = [disk({ name: 'sda', serial: 'X' }), disk({ name: 'sdb', serial: 'X' })];
    expect(chooseDisk(twins, wishes({ disk: 'X' }))).toMatchObject({ code: 'installer_several_disks' });
    expect(chooseDisk(twins, wishes({ disk: 'sdc' }))).toMatchObject({ code: 'installer_disk_not_there' });
    expect(chooseDisk([], wishes())).toMatchObject({ code: 'installer_no_disk' });
  });
});

describe('a finished install', () => {
  it.each<[string, Wishes['reinstall'], string | null, boolean]>([
    ['without leave', 'no', OTHER, false],
    ['without leave, made by this stick', 'no', MINE, false],
    ['without leave, by nobody knows whom', 'no', null, false],
    ['with leave of the stick', 'stick', OTHER, true],
    ['with leave of the stick, by nobody knows whom', 'stick', null, true],
    ['with leave of the stick that made it: it was left in', 'stick', MINE, false],
    ['with leave of a person', 'person', OTHER, true],
    ['with leave of a person, made by this stick', 'person', MINE, true],
  ])('%s', (_what, reinstall, installId, isErased) => {
    const decision = chooseDisk([finished(installId)], wishes({ reinstall }));
    expect(decision).toMatchObject(
      isErased
        ? { kind: 'install', erases: 'a finished install' }
        : { kind: 'refuse', code: 'installer_already_installed' },
    );
  });

  it('beside traces of one that was cut off is still one', () => {
    const both = disk({
      installs: [
        { isFinished: false, installId: OTHER },
        { isFinished: true, installId: OTHER },
      ],
    });
    expect(chooseDisk([both], wishes())).toMatchObject({ code: 'installer_already_installed' });
  });

  it('on another disk keeps nobody from the one that was named', () => {
    const other = { ...finished(), name: 'sda', serial: 'S2' };
    expect(chooseDisk([other, disk()], wishes({ disk: 'nvme0n1' }))).toMatchObject({ disk: { name: 'nvme0n1' } });
  });
});

const rarely = fc.constantFrom(true, false, false, false);
const anyDisk: fc.Arbitrary<DiskFacts> = fc
  .record({
    name: fc.constantFrom('sda', 'sdb', 'nvme0n1', 'mmcblk0', 'vda'),
    sizeBytes: fc.constantFrom(8 * GB, 16 * GB, 16 * GB, 2_000 * GB),
    transport: fc.constantFrom(null, 'usb', 'sata', 'sata', 'nvme', 'nvme', 'mmc', 'iscsi', 'virtio', 'ata', 'spi'),
    isRemovable: rarely,
    isHotplug: rarely,
    isReadOnly: rarely,
    mmcType: fc.constantFrom(null, 'MMC', 'SD', 'SDIO'),
    model: fc.constantFrom('', 'Model'),
    serial: fc.constantFrom('', 'S1', 'S2', 'sda'),
    mounts: fc.constantFrom([], [], ['/iso']),
    labels: fc.constantFrom([], [], ['CLINICINST'], ['data', 'CLINICINST']),
    installs: fc.array(fc.record({ isFinished: fc.boolean(), installId: fc.constantFrom(null, MINE, OTHER) }), {
      maxLength: 2,
    }),
  })
  .map((facts) => ({ ...facts, path: `/dev/${facts.name}` }));
const anyWishes = fc
  .record({
    disk: fc.constantFrom(null, null, 'sda', 'nvme0n1', 'S1', ''),
    reinstall: fc.constantFrom<Wishes['reinstall']>('no', 'stick', 'person'),
  })
  .map(wishes);

describe('whatever disks there are and whatever is asked for', () => {
  it('no stick, no card, nothing that can be taken out, is in use or too small is ever erased', () => {
    let installed = 0;
    fc.assert(
      fc.property(fc.array(anyDisk, { maxLength: 4 }), anyWishes, (disks, asked) => {
        const decision = chooseDisk(disks, asked);
        if (decision.kind === 'refuse') return;
        installed++;
        const { disk: chosen } = decision;
        const isChip = chosen.mmcType === 'MMC';
        expect(chosen.labels).not.toContain('CLINICINST');
        expect([chosen.mounts, chosen.isReadOnly, chosen.isRemovable]).toEqual([[], false, false]);
        expect(chosen.isHotplug && !isChip).toBe(false);
        expect(['nvme', 'sata', 'ata', 'virtio', ...(isChip ? ['mmc', null] : [])]).toContain(chosen.transport);
        expect(chosen.sizeBytes).toBeGreaterThanOrEqual(14 * GB);
        if (asked.disk !== null) expect([chosen.name, chosen.serial]).toContain(asked.disk);
      }),
      { numRuns: 5_000 },
    );
    expect(installed).toBeGreaterThan(50);
  });

  it('no finished install is erased without leave, and none that this stick made by leave of the stick', () => {
    let erased = 0;
    fc.assert(
      fc.property(fc.array(anyDisk, { maxLength: 3 }), anyWishes, (disks, asked) => {
        const decision = chooseDisk(disks, asked);
        if (decision.kind === 'refuse') return;
        const there = decision.disk.installs.filter(({ isFinished }) => isFinished);
        expect(decision.erases).toBe(there.length > 0 ? 'a finished install' : 'whatever is there');
        if (there.length === 0) return;
        erased++;
        expect(asked.reinstall).not.toBe('no');
        if (asked.reinstall === 'stick') expect(there.map(({ installId }) => installId)).not.toContain(MINE);
      }),
      { numRuns: 5_000 },
    );
    expect(erased).toBeGreaterThan(10);
  });

  it('nothing is chosen among two that fit, whatever their order', () => {
    fc.assert(
      fc.property(fc.array(anyDisk, { maxLength: 4 }), anyWishes, (disks, asked) => {
        const [a, b] = [chooseDisk(disks, asked), chooseDisk(disks.toReversed(), asked)];
        expect([b.kind, b.kind === 'refuse' ? b.code : b.disk]).toEqual([
          a.kind,
          a.kind === 'refuse' ? a.code : a.disk,
        ]);
      }),
    );
  });
});

describe('a disk during the countdown', () => {
  it('is another one when its size, model or serial number is another', () => {
    expect(isSameDisk(disk(), disk())).toBe(true);
    for (const change of [{ name: 'sdb' }, { sizeBytes: 1 }, { model: 'x' }, { serial: 'x' }]) {
      expect(isSameDisk(disk(), disk(change))).toBe(false);
    }
  });
});
