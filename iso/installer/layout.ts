// What an installed disk looks like, to the byte: first boot, and the next installer, find it by this (docs/installer.md). Pure.

const MIB = 1_048_576;

/** GPT type of an EFI system partition (UEFI specification 5.3.3). */
export const ESP_TYPE = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';
/** GPT type of a LUKS volume. Not that of a root file system: systemd would look into those by itself. */
export const LUKS_TYPE = 'CA7D7CCB-63ED-4C53-861C-1742536059CC';

export const ESP_NAME = 'clinic-esp';
export const ROOT_NAME = 'clinic-root';
/** Label of the FAT file system; `CLINICCFG` is that of provisioning sticks. */
export const ESP_LABEL = 'CLINICBOOT';
export const SYSTEM_LABEL = 'clinic-system';
/** Name of the opened volume. */
export const MAPPER_NAME = 'clinic-root';

/**
 * Label in the LUKS2 header. It turns from the first to the second with the installer's last write, so a disk that says `clinic-root`
 * holds a whole install, and one that was cut off does not say it.
 */
export const UNFINISHED_LABEL = 'clinic-unfinished';
export const FINISHED_LABEL = 'clinic-root';
/** `SUBSYSTEM` of the header: this, a colon, and the id of the install. */
export const SUBSYSTEM = 'compliance-agent';

export const ESP_START_MIB = 1;
export const ESP_SIZE_MIB = 1_024;
export const ROOT_START_MIB = ESP_START_MIB + ESP_SIZE_MIB;
export const ROOT_START_BYTES = ROOT_START_MIB * MIB;
/** A LUKS2 header with its key slots takes 16 MiB; the old ones of a reinstall must not stay readable. */
const LUKS_AREA_MIB = 32;

/** The one-time key opens slot 0 until first boot has another; the recovery key keeps slot 1. */
export const ONE_TIME_SLOT = 0;
export const RECOVERY_SLOT = 1;

/** On the ESP, below its root. */
export const ESP_FOLDER = 'compliance-agent';
export const UNLOCK_FILE = 'unlock.key';
export const RECOVERY_FILE = 'recovery.age';
export const INSTALL_FILE = 'install.json';

/** Two generations of the system, the evidence and its exports; the smallest eMMC that is sold has 16 GB. */
export const MIN_DISK_BYTES = 14_000_000_000;

export interface Region {
  readonly start: number;
  readonly length: number;
}

/**
 * What is overwritten with zeros before anything else: both partition tables, the start of the boot partition, and where the header and
 * key slots of an earlier install lie. From the first of these writes on, nothing on the disk counts as installed.
 */
export function wipedRegions(sizeBytes: number): readonly Region[] {
  const end = sizeBytes - (sizeBytes % 512);
  return [
    { start: ROOT_START_BYTES, length: LUKS_AREA_MIB * MIB },
    { start: 0, length: 2 * MIB },
    { start: end - MIB, length: MIB },
  ];
}

/** `/dev/nvme0n1` → `/dev/nvme0n1p2`, `/dev/sda` → `/dev/sda2`, as the kernel names them. */
export const partitionPath = (disk: string, number: number): string =>
  /[0-9]$/.test(disk) ? `${disk}p${number}` : `${disk}${number}`;
