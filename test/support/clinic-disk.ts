// A disk as the installer leaves it behind, in a file: the volume with the loader that holds the installer's key, and the encrypted
// volume, empty (docs/installer.md). And sticks with the files of Central Command.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MIB = 1_048_576;
const SECTOR = 512;
/** FAT32 begins at 33 MiB. */
const ESP_MIB = 40;
const ROOT_MIB = 160;
const ESP_TYPE = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
const ROOT_TYPE = 'ca7d7ccb-63ed-4c53-861c-1742536059cc';
/** The key is random: more rounds would only take time. */
const FEW_ROUNDS = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];

export const CLINIC_DISK_TOOLS = ['cryptsetup', 'mcopy', 'mkfs.vfat', 'sgdisk'];

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

/** @returns the image, and the owner's recovery key in a file */
export function clinicDisk(dir: string): { readonly image: string; readonly recoveryKey: string } {
  const [image, esp, volume] = [
    emptyFile(join(dir, 'disk.img'), ESP_MIB + ROOT_MIB + 4),
    emptyFile(join(dir, 'esp.img'), ESP_MIB),
    emptyFile(join(dir, 'volume.img'), ROOT_MIB),
  ];
  const [key, recoveryKey] = [join(dir, 'unlock.key'), join(dir, 'recovery.key')];
  for (const path of [key, recoveryKey]) writeFileSync(path, randomBytes(64), { mode: 0o600 });
  const names = ['--label', 'clinic-root', '--subsystem', 'compliance-agent:test'];
  run('cryptsetup', 'luksFormat', '-q', '--type', 'luks2', '--key-slot', '0', ...FEW_ROUNDS, ...names, volume, key);
  const add = ['luksAddKey', '-q', '--key-file', key, '--key-slot', '1', ...FEW_ROUNDS];
  run('cryptsetup', ...add, volume, recoveryKey);
  run('mkfs.vfat', '-F', '32', '-n', 'CLINICBOOT', esp);
  run('mmd', '-i', esp, '::compliance-agent');
  run('mcopy', '-i', esp, key, '::compliance-agent/unlock.key');
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
  return { image, recoveryKey };
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
