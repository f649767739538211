// A disk as the installer leaves it behind, in a file: the volume with the loader that holds the installer's key, and the encrypted
// volume, empty (docs/installer.md), with its recovery key sealed to an owner. And sticks with the files of Central Command.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ESP_FOLDER, INSTALL_FILE, RECOVERY_FILE, UNLOCK_FILE } from '../../iso/installer/layout.ts';
import { RECOVERY_KEY_BYTES, recoveryKeyText, recoveryNote } from '../../iso/installer/recovery-key.ts';

const MIB = 1_048_576;
const SECTOR = 512;
/** FAT32 begins at 33 MiB. */
const ESP_MIB = 40;
const ROOT_MIB = 160;
const ESP_TYPE = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
const ROOT_TYPE = 'ca7d7ccb-63ed-4c53-861c-1742536059cc';
/** The key is random: more rounds would only take time. */
const FEW_ROUNDS = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];

export const CLINIC_DISK_TOOLS = ['age', 'age-keygen', 'cryptsetup', 'mcopy', 'mkfs.vfat', 'sgdisk'];

function run(...[command, ...args]: [string, ...string[]]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

function emptyFile(path: string, mebibytes: number): string {
  writeFileSync(path, '', { mode: 0o600 });
  truncateSync(path, mebibytes * MIB);
  return path;
}

export interface ClinicDisk {
  readonly image: string;
  /** UUID of the encrypted volume. */
  readonly luksUuid: string;
  /** Secret key of the owner, in a file: it opens what is sealed. */
  readonly ownerKey: string;
}

export function clinicDisk(dir: string): ClinicDisk {
  const [image, esp, volume] = [
    emptyFile(join(dir, 'disk.img'), ESP_MIB + ROOT_MIB + 4),
    emptyFile(join(dir, 'esp.img'), ESP_MIB),
    emptyFile(join(dir, 'volume.img'), ROOT_MIB),
  ];
  const [key, recoveryKey] = [join(dir, 'unlock.key'), join(dir, 'recovery.key')];
  writeFileSync(key, randomBytes(64), { mode: 0o600 });
  writeFileSync(recoveryKey, recoveryKeyText(randomBytes(RECOVERY_KEY_BYTES)), { mode: 0o600 });
  const names = ['--label', 'clinic-root', '--subsystem', 'compliance-agent:test'];
  run('cryptsetup', 'luksFormat', '-q', '--type', 'luks2', '--key-slot', '0', ...FEW_ROUNDS, ...names, volume, key);
  const add = ['luksAddKey', '-q', '--key-file', key, '--key-slot', '1', ...FEW_ROUNDS];
  run('cryptsetup', ...add, volume, recoveryKey);
  run('mkfs.vfat', '-F', '32', '-n', 'CLINICBOOT', esp);
  run('mmd', '-i', esp, `::${ESP_FOLDER}`);
  const luksUuid = run('cryptsetup', 'luksUUID', volume).trim();
  const ownerKey = join(dir, 'owner.txt');
  run('age-keygen', '-o', ownerKey);
  const note = { partnerId: 'northwind-msp', diskModel: 'Example', diskSerial: '1', installedAt: 0, luksUuid };
  const [open, sealed, install] = [join(dir, 'note'), join(dir, RECOVERY_FILE), join(dir, INSTALL_FILE)];
  writeFileSync(open, recoveryNote({ ...note, key: readFileSync(recoveryKey, 'utf8') }), { mode: 0o600 });
  const recipient = run('age-keygen', '-y', ownerKey).trim();
  run('age', '--encrypt', '--armor', '--recipient', recipient, '--output', sealed, open);
  for (const path of [open, recoveryKey]) rmSync(path);
  writeFileSync(install, `${JSON.stringify({ schema: 'compliance-agent/install/v1', luks_uuid: luksUuid })}\n`);
  for (const [path, name] of [
    [key, UNLOCK_FILE],
    [sealed, RECOVERY_FILE],
    [install, INSTALL_FILE],
  ] as const) {
    run('mcopy', '-i', esp, path, `::${ESP_FOLDER}/${name}`);
  }
  const [espAt, rootAt] = [MIB / SECTOR, ((1 + ESP_MIB) * MIB) / SECTOR];
  const last = (start: number, mebibytes: number): number => start + (mebibytes * MIB) / SECTOR - 1;
  run(
    'sgdisk',
    ...[`--new=1:${espAt}:${last(espAt, ESP_MIB)}`, `--typecode=1:${ESP_TYPE}`, '--change-name=1:clinic-esp'],
    ...[`--new=2:${rootAt}:${last(rootAt, ROOT_MIB)}`, `--typecode=2:${ROOT_TYPE}`, '--change-name=2:clinic-root'],
    image,
  );
  for (const [part, at] of [
    [esp, espAt],
    [volume, rootAt],
  ] as const) {
    run('dd', `if=${part}`, `of=${image}`, 'bs=512', `seek=${at}`, 'conv=notrunc,sparse', 'status=none');
  }
  return { image, luksUuid, ownerKey };
}

const STICK_MIB = 16;

/** A stick with the label CLINICCFG and files in its top folder. */
export function clinicStick(image: string, files: Readonly<Record<string, string>>): string {
  emptyFile(image, STICK_MIB);
  chmodSync(image, 0o600);
  run('mkfs.vfat', '-n', 'CLINICCFG', image);
  for (const [name, content] of Object.entries(files)) {
    const { status, stderr } = spawnSync('mcopy', ['-i', image, '-', `::${name}`], { input: content });
    if (status !== 0) throw new Error(stderr.toString());
  }
  return image;
}

/** What stands in a file of a stick that is not plugged in. */
export const onStick = (image: string, name: string): string => run('mtype', '-i', image, `::${name}`);
