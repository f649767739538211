// The installer on disks under a kernel of its own (User-Mode Linux): real partition tables, device-mapper, FAT and ext4. It is ended at
// each of its steps, the power is cut once, and what it leaves is read from outside, by other tools and from the bytes of the disk.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { armor, Decrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ProbeContext } from '../../agent/facts/probe.ts';
import { recoveryKeyProbe } from '../../agent/facts/recovery-key.ts';
import { readProvisionFiles } from '../../agent/identity/provision-files.ts';
import { isAgeFile } from '../../agent/wire/age-file.ts';
import { ROOT_START_BYTES } from '../../iso/installer/layout.ts';
import { foundInstall } from '../../iso/installer/luks-header.ts';
import type { InstallerPlan, InstallerResult } from '../support/installer-child.ts';
import { CHECKOUT } from '../support/nspawn.ts';
import { partnerFile } from '../support/partner-fixtures.ts';
import { makeTrust } from '../support/trust-fixtures.ts';
import { runInUserModeLinux, userModeLinuxProblem } from '../support/user-mode-linux.ts';

const DISK_BYTES = 15_000_000_000;
/** Each of the two boots: half a minute alone, ten times that beside everything else. */
const WITHIN_MS = 440_000;
const MODULES = ['dm-crypt', 'vfat', 'nls_cp437', 'nls_iso8859-1', 'algif_skcipher', 'xts'];
const INTERNAL = { transport: 'sata' };
const USB = { transport: 'usb', isRemovable: true };
/** Each is ended just before this call of this tool. */
const CUTS: readonly (readonly [string, number])[] = [
  ['sgdisk', 1],
  ['mkfs.vfat', 1],
  ['cryptsetup luksFormat', 1],
  ['cryptsetup luksAddKey', 1],
  // The first one only tries the recovery key.
  ['cryptsetup open', 2],
  ['nixos-install', 1],
  ['cryptsetup luksUUID', 2],
  ['cryptsetup config', 1],
];

function problemOf(): string | null {
  const problem = userModeLinuxProblem();
  if (problem !== null) return problem;
  const missing = ['modprobe', 'sgdisk', 'partx', 'mkfs.vfat', 'cryptsetup', 'age', 'losetup'].filter(
    (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
  );
  return missing.length === 0 ? null : `needs ${missing.join(', ')}`;
}
const problem = problemOf();

let dir: string;
let identity: string;
let first: (name: string) => string;
let second: (name: string) => string;
const at = (name: string): string => join(dir, name);
const result = (left: (name: string) => string, name: string): InstallerResult =>
  JSON.parse(left(name)) as InstallerResult;

/** A line of the script that runs the installer; what came of it is left under `name`, how it ended in `name.exit`. */
function installer(where: string, name: string, plan: Omit<InstallerPlan, 'settings' | 'workDir' | 'out'>): string {
  const file = at(`${where}-${name}.plan`);
  const whole: InstallerPlan = {
    ...plan,
    settings: at('settings.json'),
    workDir: '/run/work',
    out: `${at(where)}/out/${name}`,
  };
  writeFileSync(file, JSON.stringify(whole));
  return `code=0; ${process.execPath} ${CHECKOUT}/test/support/installer-child.ts ${file} || code=$?; echo $code >"$OUT/${name}.exit"\n`;
}
const header = (name: string): string =>
  `dd if=/dev/ubdb bs=4096 skip=${ROOT_START_BYTES / 4_096} count=8 of="$OUT/${name}.header" status=none\n`;

const ONE = { ubdb: INTERNAL, ubdc: INTERNAL, ubdd: USB };
const MINE = { commandLine: 'quiet', disks: ONE };

beforeAll(async () => {
  if (problem !== null) return;
  dir = mkdtempSync('/var/tmp/installer-');
  chmodSync(dir, 0o755);
  for (const name of ['system/etc', 'tools', 'first', 'second']) mkdirSync(at(name), { recursive: true });
  // Stands in for NixOS: unpacks, and holds where it is told so.
  writeFileSync(at('system/etc/os-release'), 'ID=stand-in\n');
  writeFileSync(
    at('tools/nixos-install'),
    '#!/bin/sh\nset -e\n[ "$1 $3 $5 $6" = "--root --system --no-root-password --no-channel-copy" ]\ncp -R "$4/." "$2/"\n' +
      // As the real one does before anything else.
      'for path in "$2" "${2%/*}"; do case $(stat -c %a "$path") in *5|*7) ;; *) echo "$path is not 755" >&2; exit 1;; esac; done\n' +
      'if [ -e /run/hold ]; then sync; touch /run/held; sleep 600; fi\n',
    { mode: 0o755 },
  );
  identity = await generateX25519Identity();
  const trust = makeTrust();
  const recovery_recipients = [await identityToRecipient(identity)];
  writeFileSync(at('partner.json'), partnerFile({ change: { recovery_recipients } }, trust).text);
  const settings = {
    schema: 'compliance-agent/installer-settings/v1',
    system: at('system'),
    partner_file: at('partner.json'),
    root_sha256: trust.root.digest,
    provision_dir: '/var/lib/compliance-agent-provision',
    provision_gid: 396,
    boot_label: 'CLINICINST',
    tool_path: [at('tools')],
  };
  writeFileSync(at('settings.json'), JSON.stringify(settings));
  writeFileSync(at('stick-settings.json'), JSON.stringify({ ...settings, tool_path: ['/usr/sbin', '/usr/bin'] }));
  const disks = ['disk', 'stick', 'other'].map((name) => at(`${name}.img`));
  for (const image of disks) {
    writeFileSync(image, '');
    truncateSync(image, DISK_BYTES);
  }
  execFileSync('mkfs.vfat', ['-F', '32', '-n', 'CLINICINST', at('stick.img')], { stdio: 'ignore' });
  const kernel = { memory: '512M', withinMs: WITHIN_MS, disks, modules: MODULES };
  // Compiled once out here: that kernel is slow, and the installer is started two dozen times.
  const main = `await import(${JSON.stringify(`${CHECKOUT}/iso/installer/main.ts`)})`;
  const compiled = { ...process.env, NODE_COMPILE_CACHE: at('compiled') };
  execFileSync(process.execPath, ['--input-type=module', '--eval', main], { env: compiled });

  const cuts = CUTS.map(([tool, nth], i) => {
    const name = `cut-${i}`;
    return installer('first', name, { ...MINE, dieBefore: [tool, nth] }) + header(name);
  });
  const hanging = [
    'touch /run/hold\n',
    installer('first', 'hanging', MINE).replace(
      'code=0;',
      'code=0; (until [ -e /run/held ]; do sleep 0.1; done; touch "$OUT/now") &',
    ),
  ];
  first = await runInUserModeLinux(
    at('first'),
    [
      `set -u; export NODE_COMPILE_CACHE=${at('compiled')}\n`,
      installer('first', 'several', { ...MINE, disks: { ...ONE, ubdd: INTERNAL } }),
      installer('first', 'stick-alone', { ...MINE, disks: { ubdc: INTERNAL, ubdd: USB } }),
      `code=0; ${process.execPath} ${CHECKOUT}/iso/installer/main.ts ${at('stick-settings.json')} >"$OUT/main.screen" 2>"$OUT/main.log" </dev/null || code=$?; echo $code >"$OUT/main.exit"\n`,
      'mkdir /run/iso && mount -o ro /dev/ubdc /run/iso\n',
      installer('first', 'mounted', { ...MINE, disks: { ubdc: { ...INTERNAL, labels: [] } } }),
      ...cuts,
      ...hanging,
    ].join(''),
    { ...kernel, cutAt: 'now' },
  );
  second = await runInUserModeLinux(
    at('second'),
    [
      `set -u; export NODE_COMPILE_CACHE=${at('compiled')}\n`,
      header('after-power-cut'),
      installer('second', 'whole', MINE),
      header('whole'),
      installer('second', 'again', MINE),
      header('again'),
      installer('second', 'reinstalled', { ...MINE, commandLine: 'installer.reinstall=yes' }),
      header('reinstalled'),
      // As first boot does: the key of the boot partition opens the volume.
      'mkdir /run/boot /run/root && mount -o ro,fmask=0177,dmask=0077 /dev/ubdb1 /run/boot\n',
      'cryptsetup open --key-slot 0 --key-file /run/boot/compliance-agent/unlock.key /dev/ubdb2 x\n',
      'mount -o ro /dev/mapper/x /run/root\n',
      'cp -R /run/boot/compliance-agent "$OUT/boot"; cp -R /run/root/var/lib/compliance-agent-provision "$OUT/provision"\n',
      'cp /run/root/etc/os-release "$OUT/os-release"\n',
      '(cd /run/root && find . -xdev ! -path "./lost+found*" -printf "%M %U:%G %p\\n" | sort) >"$OUT/listing"\n',
      'blkid -p -o value -s LABEL /dev/mapper/x >"$OUT/system-label"; blkid -p -o value -s LABEL /dev/ubdb1 >"$OUT/esp-label"\n',
      'cmp -n 1073741824 /dev/ubdd /dev/zero >"$OUT/other" 2>&1; echo $? >"$OUT/other.exit"\n',
      'umount /run/root /run/boot; cryptsetup close x\n',
    ].join(''),
    kernel,
  );
});
beforeEach((context) => context.skip(problem !== null, problem ?? ''));
afterAll(() => {
  if (problem === null) rmSync(dir, { recursive: true, force: true });
});

const stateOf = (where: string, name: string): boolean | null => {
  const bytes = readFileSync(at(`${where}/out/${name}.header`));
  const found = [0, 16_384].map((offset) => foundInstall(bytes.subarray(offset, offset + 512)));
  return found.every((one) => one === null) ? null : found.some((one) => one?.isFinished === true);
};
/** Runs on this machine, whose kernel has no device-mapper: trying a key needs none. */
function onVolume<T>(use: (device: string) => T): T {
  const argv = ['--find', '--show', '--offset', String(ROOT_START_BYTES), at('disk.img')];
  const device = execFileSync('losetup', argv, { encoding: 'utf8' }).trim();
  try {
    return use(device);
  } finally {
    execFileSync('losetup', ['--detach', device]);
  }
}
const opens = (slot: number, key: string | Buffer): boolean =>
  onVolume(
    (device) =>
      spawnSync('cryptsetup', ['open', '--test-passphrase', '--key-slot', String(slot), '--key-file', '-', device], {
        input: key,
      }).status === 0,
  );

describe('the installer on real disks', () => {
  it.each([
    ['two internal disks', 'several', 'installer_several_disks'],
    ['only the stick it runs from, though that looks internal', 'stick-alone', 'installer_no_disk'],
    ['a stick whose label is lost, but which is mounted', 'mounted', 'installer_no_disk'],
  ])('with %s writes nothing and says why', (_what, name, code) => {
    const { result: came, ran, poweredOff } = result(first, name);
    expect([came, poweredOff]).toEqual([code, false]);
    expect(ran.filter((tool) => tool !== 'lsblk' && tool !== 'blkid')).toEqual([]);
  });

  it('as the stick starts it finds no internal disk in that machine, and says of each disk what is against it', () => {
    expect(first('main.exit').trim()).toBe('3');
    expect(first('main.log')).toMatch(/installer: failed code=installer_no_disk/);
    const screen = first('main.screen');
    for (const text of [
      'Northern Watch - installer',
      'ubdb, 15 GB: is connected in a way that is not internal',
      'ubdc, 15 GB: carries the installer',
    ]) {
      expect(screen).toContain(text);
    }
  });

  it.each(CUTS.map(([tool, nth], i) => [`${tool} (${nth})`, `cut-${i}`] as const))(
    'ended before %s, leaves no finished install, and the next run begins again',
    (_tool, name) => {
      // 128 + SIGKILL, and no result.
      expect(first(`${name}.exit`).trim()).toBe('137');
      expect(existsSync(at(`first/out/${name}`))).toBe(false);
      expect(stateOf('first', name)).not.toBe(true);
    },
  );

  it('after a power cut while the system is copied goes on to a whole install', () => {
    expect(existsSync(at('first/out/now'))).toBe(true);
    expect(existsSync(at('first/out/hanging'))).toBe(false);
    expect(stateOf('second', 'after-power-cut')).toBe(false);
    const { result: came, poweredOff, log } = result(second, 'whole');
    expect([came, poweredOff], log.join('\n')).toEqual(['installed', true]);
    expect(stateOf('second', 'whole')).toBe(true);
  });

  it('refuses a finished install and leaves every byte of its header, until somebody types installer.reinstall=yes', () => {
    const { result: came, ran } = result(second, 'again');
    expect(came).toBe('installer_already_installed');
    expect(ran.filter((tool) => tool !== 'lsblk' && tool !== 'blkid')).toEqual([]);
    const [before, after] = ['whole', 'again'].map((name) => readFileSync(at(`second/out/${name}.header`)));
    expect(after?.equals(before!)).toBe(true);
    expect(result(second, 'reinstalled').result).toBe('installed');
    expect(readFileSync(at('second/out/reinstalled.header')).equals(before!)).toBe(false);
  });

  it('makes the partitions, labels and type ids that first boot looks for', () => {
    const info = (n: number): string => execFileSync('sgdisk', [`--info=${n}`, at('disk.img')], { encoding: 'utf8' });
    expect(info(1)).toContain('Partition GUID code: C12A7328-F81F-11D2-BA4B-00A0C93EC93B');
    expect(info(1)).toContain("Partition name: 'clinic-esp'");
    expect(info(1)).toContain('Partition size: 2097152 sectors');
    expect(info(2)).toContain('Partition GUID code: CA7D7CCB-63ED-4C53-861C-1742536059CC');
    expect(info(2)).toContain("Partition name: 'clinic-root'");
    expect(info(2)).toContain(`First sector: ${ROOT_START_BYTES / 512} `);
    expect(execFileSync('sgdisk', ['--verify', at('disk.img')], { encoding: 'utf8' })).toContain('No problems found');
    expect([second('esp-label'), second('system-label')].map((text) => text.trim())).toEqual([
      'CLINICBOOT',
      'clinic-system',
    ]);
  });

  it('leaves a key that opens slot 0 and a recovery key, sealed to its owner, that opens slot 1', async () => {
    const unlock = readFileSync(at('second/out/boot/unlock.key'));
    expect([unlock.length, opens(0, unlock), opens(1, unlock)]).toEqual([64, true, false]);
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    const sealed = readFileSync(at('second/out/boot/recovery.age'), 'utf8');
    const note = await decrypter.decrypt(armor.decode(sealed), 'text');
    const key = /^recovery key: (.*)$/m.exec(note)?.[1] ?? '';
    expect([opens(1, key), opens(0, key)]).toEqual([true, false]);
    const uuid = onVolume((device) => execFileSync('cryptsetup', ['luksUUID', device], { encoding: 'utf8' }).trim());
    expect(note).toContain(`volume: ${uuid}\n`);
    const install = JSON.parse(readFileSync(at('second/out/boot/install.json'), 'utf8')) as Record<string, unknown>;
    expect(install).toMatchObject({ partner_id: 'northern-it', luks_uuid: uuid, system: at('system') });
    // Neither key lies anywhere else on the disk that is not encrypted.
    expect(key).toHaveLength(71);
    const esp = readFileSync(at('second/out/boot/install.json'), 'utf8') + sealed;
    expect(esp).not.toContain(key);
  });

  it('leaves the sealed recovery key and its volume as the agent reads them for Central Command', async () => {
    const folder = at('second/out/boot');
    const ours = { folder, rootUid: process.getuid?.() ?? 0 };
    const { key } = await recoveryKeyProbe(isAgeFile, ours).read({} as unknown as ProbeContext);
    const { luks_uuid: luksUuid } = JSON.parse(readFileSync(join(folder, 'install.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    expect(key).toEqual({ sealed: readFileSync(join(folder, 'recovery.age')).toString('base64'), luksUuid });
  });

  it('leaves the system and the files of the partner, which are root’s and which the agent can read', () => {
    expect(second('os-release')).toBe('ID=stand-in\n');
    expect(readProvisionFiles(at('second/out/provision'))).toMatchObject({
      centralUrl: 'https://central.northern-it.example:8443',
      token: null,
    });
    const listing = second('listing');
    expect(listing).toContain('drwxr-x--- 0:396 ./var/lib/compliance-agent-provision\n');
    for (const name of ['clinic.yaml', 'root.json', 'ca.pem']) {
      expect(listing).toContain(`-rw-r----- 0:396 ./var/lib/compliance-agent-provision/${name}\n`);
    }
    expect(listing).not.toMatch(/unlock|recovery|one-time/);
  });

  it('has not written a byte to the disk that was not chosen', () => {
    expect(second('other.exit').trim(), second('other')).toBe('0');
  });
});

describe('the countdown on a real terminal', () => {
  it('is stopped by a key, without Enter', () => {
    const child = `${process.execPath} ${CHECKOUT}/test/support/countdown-child.ts`;
    const { stdout } = spawnSync('script', ['--quiet', '--return', '--command', child, '/dev/null'], {
      input: 'x',
      encoding: 'utf8',
    });
    expect(stdout).toContain('30 left');
    expect(stdout).toContain('stopped');
    expect(stdout).not.toContain('went on');
  });
});
