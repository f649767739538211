// What is known of a disk before anything is decided, and how it is read out of what lsblk prints. Pure.
import * as v from 'valibot';
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { FoundInstall } from './luks-header.ts';

export interface DiskFacts {
  /** `/dev/nvme0n1`. */
  readonly path: string;
  /** `nvme0n1`. */
  readonly name: string;
  readonly sizeBytes: number;
  /** What lsblk calls the transport; null where it knows none. */
  readonly transport: string | null;
  readonly isRemovable: boolean;
  readonly isHotplug: boolean;
  readonly isReadOnly: boolean;
  /** `MMC` is soldered (eMMC), `SD` is a card; null for every other kind of disk. */
  readonly mmcType: string | null;
  readonly model: string;
  readonly serial: string;
  /** Where it, or anything on it, is mounted or swapped to. */
  readonly mounts: readonly string[];
  /** Labels of file systems on it, its own and its partitions'. */
  readonly labels: readonly string[];
  readonly installs: readonly FoundInstall[];
}

export interface BlockDevice {
  readonly path: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly ro: boolean;
  readonly rm: boolean;
  readonly hotplug: boolean;
  readonly tran: string | null;
  readonly model: string | null;
  readonly serial: string | null;
  readonly label: string | null;
  readonly mountpoints: readonly (string | null)[];
  readonly children?: readonly BlockDevice[] | undefined;
}

/** NAME is what makes lsblk nest what lies on a disk below it. */
export const LSBLK_COLUMNS = 'NAME,PATH,KNAME,TYPE,SIZE,RO,RM,HOTPLUG,TRAN,MODEL,SERIAL,LABEL,MOUNTPOINTS';

const textOrNull = v.nullish(v.string(), null);
const device: v.GenericSchema<unknown, BlockDevice> = v.pipe(
  v.object({
    path: v.string(),
    kname: v.string(),
    type: v.string(),
    size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
    ro: v.boolean(),
    rm: v.boolean(),
    hotplug: v.boolean(),
    tran: textOrNull,
    model: textOrNull,
    serial: textOrNull,
    label: textOrNull,
    mountpoints: v.array(v.nullable(v.string())),
    children: v.optional(v.array(v.lazy(() => device))),
  }),
  v.transform(({ kname, ...rest }) => ({ ...rest, name: kname })),
);
const listing = v.object({ blockdevices: v.array(device) });

/** `lsblk --json --bytes --output LSBLK_COLUMNS`: disks, with what lies on each below it. @throws installer_disk_not_there where it is no such listing */
export function parseLsblk(text: string): readonly BlockDevice[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = null;
  }
  const result = v.safeParse(listing, value);
  if (result.success) {
    const devices = result.output.blockdevices;
    if (!devices.some(({ type }) => type === 'part')) return devices;
    // What is mounted from a disk would not be seen as being on it.
    throw new AgentError('installer_disk_not_there', 'lsblk lists partitions apart from their disks');
  }
  throw new AgentError(
    'installer_disk_not_there',
    `lsblk did not say which disks there are: ${v.getDotPath(result.issues[0]) ?? 'no JSON'}`,
  );
}

/** The device itself and everything on it. */
export const withChildren = (one: BlockDevice): readonly BlockDevice[] => [
  one,
  ...(one.children ?? []).flatMap((child) => withChildren(child)),
];

/** Parts of an eMMC that firmware uses, and disks that lie in memory: never candidates, and nothing that people could act on. */
const NO_DISK = /^(?:mmcblk[0-9]+(?:boot[0-9]+|rpmb|gp[0-9]+)|z?ram[0-9]+)$/;

export const disksOf = (devices: readonly BlockDevice[]): readonly BlockDevice[] =>
  devices.filter(({ type, name, size }) => type === 'disk' && size > 0 && !NO_DISK.test(name));

/** Only there `device/type` in /sys names the kind of a card; for SCSI and SATA disks the file of that name holds a number. */
const MMC_DISK = /^mmcblk[0-9]+$/;

/**
 * @param labels of file systems on it, as they were read from the devices
 * @param installs what the headers of the disk say, wherever on it they lie
 * @param deviceType of `device/type` in /sys
 */
export function diskFacts(
  one: BlockDevice,
  labels: readonly string[],
  installs: readonly FoundInstall[],
  deviceType: string | null,
): DiskFacts {
  const all = withChildren(one);
  return {
    path: one.path,
    name: one.name,
    sizeBytes: one.size,
    transport: one.tran,
    isRemovable: one.rm,
    isHotplug: one.hotplug,
    isReadOnly: one.ro,
    mmcType: MMC_DISK.test(one.name) ? deviceType : null,
    model: (one.model ?? '').trim(),
    serial: (one.serial ?? '').trim(),
    mounts: all.flatMap(({ mountpoints }) => mountpoints.filter((place) => place !== null)),
    labels: [...new Set([...all.flatMap(({ label }) => (label === null ? [] : [label])), ...labels])],
    installs,
  };
}
