// Which disk is installed on, or why none is. Pure: the facts and what people asked for in, the decision out.
import type { ErrorCode } from '../../agent/errors/codes.ts';
import type { DiskFacts } from './disk-facts.ts';

export interface Wishes {
  /** Kernel name or serial number; null where nobody named one. */
  readonly disk: string | null;
  /**
   * Whether a finished install may be erased. `stick`: the signed file of the stick says so; then not over what this very stick has
   * installed, or a stick that was left in would erase the machine at each start. `person`: somebody typed it at this start.
   */
  readonly reinstall: 'no' | 'stick' | 'person';
  /** Of this image and file. */
  readonly installId: string;
  /** Label of the file system of the stick. */
  readonly bootLabel: string;
  readonly minDiskBytes: number;
}

/** What is against a disk. The order is that of the questions: the first one that holds is named. */
export type Objection =
  'is_the_stick' | 'in_use' | 'removable' | 'memory_card' | 'unknown_connection' | 'read_only' | 'too_small';

export const OBJECTIONS: Readonly<Record<Objection, string>> = {
  is_the_stick: 'carries the installer',
  in_use: 'is in use',
  removable: 'can be taken out',
  memory_card: 'is a memory card',
  unknown_connection: 'is connected in a way that is not internal',
  read_only: 'is read-only',
  too_small: 'is too small',
};

export interface JudgedDisk {
  readonly disk: DiskFacts;
  /** Null where it may be installed on. */
  readonly objection: Objection | null;
}

export type Refusal = Extract<
  ErrorCode,
  'installer_no_disk' | 'installer_several_disks' | 'installer_disk_not_there' | 'installer_already_installed'
>;

export type Decision =
  | { readonly kind: 'install'; readonly disk: DiskFacts; readonly erases: 'whatever is there' | 'a finished install' }
  | { readonly kind: 'refuse'; readonly code: Refusal; readonly sentence: string };

/** Transports that lead to a disk inside of the machine; `virtio` is that of a virtual one. Every other is refused. */
const INTERNAL: ReadonlySet<string> = new Set(['nvme', 'sata', 'ata', 'virtio']);
/** The kernel calls eMMC pluggable, as it calls memory cards: the kind of the card decides. */
const MMC = 'mmc';
const SOLDERED = 'MMC';

function objectionTo(disk: DiskFacts, { bootLabel, minDiskBytes }: Wishes): Objection | null {
  if (disk.labels.includes(bootLabel)) return 'is_the_stick';
  if (disk.mounts.length > 0) return 'in_use';
  // Older versions of lsblk know no transport of cards.
  const isMmc = disk.transport === MMC || (disk.transport === null && disk.mmcType !== null);
  if (disk.isRemovable || (disk.isHotplug && !isMmc)) return 'removable';
  if (isMmc && disk.mmcType !== SOLDERED) return 'memory_card';
  if (!isMmc && !INTERNAL.has(disk.transport ?? '')) return 'unknown_connection';
  if (disk.isReadOnly) return 'read_only';
  if (disk.sizeBytes < minDiskBytes) return 'too_small';
  return null;
}

export const judgeDisks = (disks: readonly DiskFacts[], wishes: Wishes): readonly JudgedDisk[] =>
  disks.map((disk) => ({ disk, objection: objectionTo(disk, wishes) }));

/** The one disk that is erased and installed on, or why there is none. Nothing is chosen among several. */
export function chooseDisk(disks: readonly DiskFacts[], wishes: Wishes): Decision {
  const fit = judgeDisks(disks, wishes).filter(({ objection }) => objection === null);
  const named = wishes.disk === null ? fit : fit.filter(({ disk }) => isNamed(disk, wishes.disk));
  const [only, ...others] = named;
  if (only === undefined) return nothingFits(disks, wishes);
  if (others.length > 0) {
    const names = named.map(({ disk }) => disk.name).join(', ');
    return { kind: 'refuse', code: 'installer_several_disks', sentence: `${names} could each be installed on` };
  }
  return judgeInstall(only.disk, wishes);
}

function nothingFits(disks: readonly DiskFacts[], wishes: Wishes): Decision {
  if (wishes.disk === null) {
    const sentence =
      disks.length === 0 ? 'this machine shows no disk' : 'no disk of this machine is internal, large enough and free';
    return { kind: 'refuse', code: 'installer_no_disk', sentence };
  }
  const there = judgeDisks(disks, wishes).find(({ disk }) => isNamed(disk, wishes.disk));
  const why = there?.objection == null ? 'is not there' : OBJECTIONS[there.objection];
  return {
    kind: 'refuse',
    code: 'installer_disk_not_there',
    sentence: `the disk that was named, ${wishes.disk}, ${why}`,
  };
}

/** What is finished is erased only by leave; a volume of ours that was cut off is no install. */
function judgeInstall(disk: DiskFacts, { reinstall, installId }: Wishes): Decision {
  const finished = disk.installs.filter(({ isFinished }) => isFinished);
  if (finished.length === 0) return { kind: 'install', disk, erases: 'whatever is there' };
  const refuse = (sentence: string): Decision => ({ kind: 'refuse', code: 'installer_already_installed', sentence });
  if (reinstall === 'no') return refuse(`${disk.name} holds a finished install`);
  if (reinstall === 'stick' && finished.some((found) => found.installId === installId)) {
    return refuse(`${disk.name} was installed by this very stick`);
  }
  return { kind: 'install', disk, erases: 'a finished install' };
}

const isNamed = (disk: DiskFacts, name: string | null): boolean => disk.name === name || disk.serial === name;

/** True where the same disk is meant: kernel names may move to another disk between two looks. */
export const isSameDisk = (a: DiskFacts, b: DiskFacts): boolean =>
  a.path === b.path && a.sizeBytes === b.sizeBytes && a.serial === b.serial && a.model === b.model;
