// What the installer reads: listings of lsblk, the kernel command line, its settings, LUKS headers.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chooseDisk } from '../../../iso/installer/choose-disk.ts';
import { diskFacts, disksOf, parseLsblk } from '../../../iso/installer/disk-facts.ts';
import { parseKernelOptions } from '../../../iso/installer/kernel-options.ts';
import { partitionPath, wipedRegions } from '../../../iso/installer/layout.ts';
import { foundInstall } from '../../../iso/installer/luks-header.ts';
import { recoveryKeyText, recoveryNote } from '../../../iso/installer/recovery-key.ts';
import { installIdOf, parseSettings } from '../../../iso/installer/settings.ts';
import { wipe } from '../../../iso/installer/wipe.ts';
import { wishesOf } from '../../../iso/installer/wishes.ts';
import { openPartnerFile } from '../../../agent/trust/partner-file.ts';
import { expectCode } from '../../support/expect-code.ts';
import { partnerFile } from '../../support/partner-fixtures.ts';

const one = (change: object = {}) => ({
  path: '/dev/sda',
  kname: 'sda',
  type: 'disk',
  size: 1_000,
  ro: false,
  rm: true,
  hotplug: true,
  tran: 'usb',
  model: ' DataTraveler ',
  serial: null,
  label: 'CLINICINST',
  mountpoints: [null],
  ...change,
});

describe('a listing of lsblk', () => {
  it('gives the disks with all that is mounted and labelled on them, and nothing that is no disk', () => {
    const part = one({ path: '/dev/sda1', kname: 'sda1', type: 'part', label: 'BOOT', mountpoints: ['/boot', null] });
    const crypt = one({
      path: '/dev/mapper/x',
      kname: 'dm-0',
      type: 'crypt',
      label: 'data',
      mountpoints: ['/', '/nix'],
    });
    const devices = parseLsblk(
      JSON.stringify({
        blockdevices: [
          one({ children: [{ ...part, children: [crypt] }] }),
          one({ kname: 'sr0', type: 'rom' }),
          one({ kname: 'loop0', type: 'loop' }),
          one({ kname: 'mmcblk0boot0', size: 4_000_000 }),
          one({ kname: 'zram0', size: 4_000_000 }),
          one({ kname: 'sdc', size: 0 }),
        ],
      }),
    );
    const [facts, ...others] = disksOf(devices).map((device) => diskFacts(device, ['BOOT', 'late'], [], null));
    expect(others).toEqual([]);
    expect(facts).toMatchObject({
      name: 'sda',
      model: 'DataTraveler',
      serial: '',
      mounts: ['/boot', '/', '/nix'],
      labels: ['CLINICINST', 'BOOT', 'data', 'late'],
    });
  });

  it('takes the kind of a card from cards alone: the same file of a SATA disk holds a number', () => {
    const of = (kname: string, type: string | null) =>
      diskFacts(parseLsblk(JSON.stringify({ blockdevices: [one({ kname })] }))[0]!, [], [], type).mmcType;
    expect([of('mmcblk0', 'MMC'), of('mmcblk1', 'SD'), of('sda', '0'), of('nvme0n1', null)]).toEqual([
      'MMC',
      'SD',
      null,
      null,
    ]);
  });

  it('that does not nest partitions below their disks is refused: what is mounted from a disk would not be seen', () => {
    const flat = [one(), one({ path: '/dev/sda1', kname: 'sda1', type: 'part', mountpoints: ['/'] })];
    expectCode(() => parseLsblk(JSON.stringify({ blockdevices: flat })), 'installer_disk_not_there');
  });

  it.each(['', 'no JSON', '{}', '{"blockdevices":[{"kname":"sda"}]}', '{"blockdevices":[{"size":"1T"}]}'])(
    'of another form is refused: %j',
    (text) => void expectCode(() => parseLsblk(text), 'installer_disk_not_there'),
  );
});

describe('the kernel command line', () => {
  it.each([
    ['quiet installer.disk=nvme0n1 installer.reinstall=yes', { disk: 'nvme0n1', reinstall: true, unknown: [] }],
    ['installer.disk=/dev/sda\n', { disk: 'sda', reinstall: false, unknown: [] }],
    ['installer.reinstall=yes installer.reinstall=no', { disk: null, reinstall: false, unknown: [] }],
    ['init=/x root=installer.reinstall=yes', { disk: null, reinstall: false, unknown: [] }],
    ['installer.reinstall', { disk: null, reinstall: false, unknown: ['installer.reinstall'] }],
    ['installer.reinstall=YES', { disk: null, reinstall: false, unknown: ['installer.reinstall=YES'] }],
    ['installer.reinstall=yes=yes', { disk: null, reinstall: false, unknown: ['installer.reinstall=yes=yes'] }],
    ['installer.disc=sda', { disk: null, reinstall: false, unknown: ['installer.disc=sda'] }],
    ['installer.disk=../sda', { disk: '../sda', reinstall: false, unknown: ['installer.disk=../sda'] }],
    ['', { disk: null, reinstall: false, unknown: [] }],
  ])('%j', (text, expected) => {
    expect(parseKernelOptions(text)).toEqual(expected);
  });

  it('counts before what the stick says', () => {
    const { text } = partnerFile({ change: { install: { disk: 'sdb', reinstall: 'yes' } } });
    const partner = openPartnerFile(text, { place: 'partner.json' });
    const settings = parseSettings(JSON.stringify(SETTINGS), 's');
    const of = (line: string) => wishesOf(settings, partner, parseKernelOptions(line));
    expect(of('')).toMatchObject({ disk: 'sdb', reinstall: 'stick' });
    expect(of('installer.disk=sda installer.reinstall=yes')).toMatchObject({ disk: 'sda', reinstall: 'person' });
  });

  it.each(['installer.disk=/dev/disk/by-id/ata-B', 'installer.disk=', 'installer.disk'])(
    'with %j erases no disk, not even the only one, nor the one that the stick names',
    (line) => {
      const { text } = partnerFile({ change: { install: { disk: 'sda' } } });
      const partner = openPartnerFile(text, { place: 'partner.json' });
      const settings = parseSettings(JSON.stringify(SETTINGS), 's');
      const internal = one({ size: 64e9, rm: false, hotplug: false, tran: 'sata', label: null });
      const only = disksOf(parseLsblk(JSON.stringify({ blockdevices: [internal] })));
      const facts = only.map((disk) => diskFacts(disk, [], [], null));
      const decision = (typed: string) => chooseDisk(facts, wishesOf(settings, partner, parseKernelOptions(typed)));
      expect(decision('')).toMatchObject({ kind: 'install' });
      expect(decision(line)).toMatchObject({ kind: 'refuse', code: 'installer_disk_not_there' });
    },
  );
});

const SETTINGS = {
  schema: 'compliance-agent/installer-settings/v1',
  system: '/nix/store/abc-nixos-system',
  partner_file: '/etc/installer/partner.json',
  root_sha256: 'ab'.repeat(32),
  provision_dir: '/var/lib/compliance-agent-provision',
  provision_gid: 396,
  boot_label: 'CLINICINST',
  tool_path: ['/nix/store/abc/bin'],
};

describe('what an image was built with', () => {
  it('is read, and the id of its installs follows from system and partner alone', () => {
    const settings = parseSettings(JSON.stringify(SETTINGS), 's');
    const id = installIdOf(settings, 'cd'.repeat(32));
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    expect(installIdOf({ ...settings, boot_label: 'OTHER' }, 'cd'.repeat(32))).toBe(id);
    expect(installIdOf({ ...settings, system: '/nix/store/x' }, 'cd'.repeat(32))).not.toBe(id);
    expect(installIdOf(settings, 'ce'.repeat(32))).not.toBe(id);
  });

  it.each<[string, object | string]>([
    ['schema', { schema: 'compliance-agent/installer-settings/v2' }],
    ['system', { system: 'nixos-system' }],
    ['system', { system: '/nix/../etc' }],
    ['root_sha256', { root_sha256: 'AB'.repeat(32) }],
    ['provision_dir', { provision_dir: undefined }],
    ['provision_gid', { provision_gid: 0 }],
    ['boot_label', { boot_label: '' }],
    ['tool_path', { tool_path: [] }],
    ['tool_path.0', { tool_path: ['bin'] }],
    ['more', { more: 1 }],
    ['', 'no JSON'],
  ])('with a mistake in %j is refused there', (path, change) => {
    const text = typeof change === 'string' ? change : JSON.stringify({ ...SETTINGS, ...change });
    expect(expectCode(() => parseSettings(text, 'file'), 'installer_settings_invalid').place).toContain(path);
  });
});

describe('a LUKS header', () => {
  const header = (label: string, subsystem: string, change: (bytes: Buffer) => void = () => undefined): Buffer => {
    const bytes = Buffer.alloc(512);
    bytes.write('4c554b53babe0002', 0, 'hex');
    bytes.write(label, 24, 'latin1');
    bytes.write(subsystem, 208, 'latin1');
    change(bytes);
    return bytes;
  };
  it.each([
    ['of a finished install', header('clinic-root', 'compliance-agent:abc'), { isFinished: true, installId: 'abc' }],
    [
      'of one that was cut off',
      header('clinic-unfinished', 'compliance-agent:a'),
      { isFinished: false, installId: 'a' },
    ],
    ['of a finished one with another subsystem', header('clinic-root', 'x:abc'), { isFinished: true, installId: null }],
    [
      'that is the second one',
      header('clinic-root', '', (b) => b.write('SKUL', 'latin1')),
      { isFinished: true, installId: null },
    ],
    ['with another label', header('backup', 'compliance-agent:abc'), null],
    ['with a label that begins alike', header('clinic-root2', ''), null],
    ['of LUKS1', header('clinic-root', '', (b) => b.writeUInt16BE(1, 6)), null],
    ['that was overwritten', Buffer.alloc(512), null],
    ['that is cut off', header('clinic-root', '').subarray(0, 100), null],
  ])('%s', (_what, bytes, expected) => {
    expect(foundInstall(bytes)).toEqual(expected);
  });
});

describe('the disk', () => {
  it('names its partitions as the kernel does', () => {
    expect(['/dev/sda', '/dev/nvme0n1', '/dev/mmcblk0', '/dev/loop7'].map((path) => partitionPath(path, 2))).toEqual([
      '/dev/sda2',
      '/dev/nvme0n1p2',
      '/dev/mmcblk0p2',
      '/dev/loop7p2',
    ]);
  });

  it('loses both partition tables and the header of an earlier install, and nothing beyond its end', () => {
    const dir = mkdtempSync(join(tmpdir(), 'wipe-'));
    try {
      const size = 2_000_000_000;
      const regions = wipedRegions(size);
      expect(regions[0]?.start).toBe(1_025 * 1_048_576);
      for (const { start, length } of regions) expect(start + length).toBeLessThanOrEqual(size);
      const covers = (at: number): boolean => regions.some(({ start, length }) => at >= start && at < start + length);
      // Protective MBR, GPT, FAT boot sector, both LUKS headers and the key slots behind them, backup GPT.
      for (const at of [
        0,
        512,
        1_048_576,
        1_074_790_400,
        1_074_790_400 + 16_384,
        1_074_790_400 + 16_777_215,
        size - 512,
      ]) {
        expect(covers(at), String(at)).toBe(true);
      }
      const file = join(dir, 'disk');
      writeFileSync(file, 'x'.repeat(4_096));
      wipe(file, [{ start: 1_024, length: 2_048 }]);
      expect(() => wipe(join(dir, 'gone'), [])).toThrow();
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('a recovery key', () => {
  it('is 64 letters in eight groups, each letter four bits of what was random', () => {
    const bytes = Buffer.from(Array.from({ length: 32 }, (_, i) => i * 8));
    const text = recoveryKeyText(bytes);
    expect(text).toMatch(/^(?:[cbdefghijklnrtuv]{8}-){7}[cbdefghijklnrtuv]{8}$/);
    const letters = 'cbdefghijklnrtuv';
    const back = (text.replaceAll('-', '').match(/../g) ?? []).map(
      (pair) => letters.indexOf(pair[0]!) * 16 + letters.indexOf(pair[1]!),
    );
    expect(Buffer.from(back)).toEqual(bytes);
    expect(() => recoveryKeyText(bytes.subarray(1))).toThrow(RangeError);
  });

  it('stands in its note with what it opens, and a strange disk name in no other line', () => {
    const note = recoveryNote({
      key: 'KEY',
      luksUuid: 'uuid',
      partnerId: 'northern-it',
      diskModel: 'a\nrecovery key: other',
      diskSerial: '\x1b[2J',
      installedAt: 0,
    });
    expect(note.match(/^recovery key: .*$/gm)).toEqual(['recovery key: KEY']);
    expect(note).not.toContain('\x1b');
  });
});
