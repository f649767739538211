// Reads whether every mounted volume lies on LUKS, down to the header on the disk.
import { closeSync, openSync, readSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readFileLimited } from '../system/files.ts';
import { btrfsDevices, numberOfDevice, protectionOf, together, type Protection } from './block-devices.ts';
import { FIRST_READ_BYTES, headerBytes, parseLuksHeader, type HeaderReading } from './luks-header.ts';
import { mountOf, parseMountInfo, type Mount } from './mount-info.ts';
import { Unreadable, type Probe, type ProbeContext } from './probe.ts';

const MAX_MOUNTINFO_BYTES = 4 * 1024 * 1024;
const MAX_SWAPS_BYTES = 64 * 1024;

/** File systems of the kernel and of memory: they keep nothing on a disk (what is swapped out is judged as swap). */
const WITHOUT_DISK = new Set(
  (
    'autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs fusectl hugetlbfs mqueue nsfs ' +
    'proc pstore ramfs rpc_pipefs securityfs selinuxfs sysfs tmpfs tracefs'
  ).split(' '),
);
/** They have a number that is no device's, and name the device as the source of the mount. */
const NAMED_BY_SOURCE = new Set(['btrfs', 'bcachefs']);

export interface EncryptedVolume {
  /** Empty for swap. */
  readonly mountPoints: readonly string[];
  readonly use: 'mounted' | 'swap';
  readonly protection: 'luks' | 'clear' | 'other_crypt' | 'unidentified';
  /** Devices whose headers protect it. */
  readonly headers: readonly string[];
}

export interface EncryptionFacts {
  readonly volumes: readonly EncryptedVolume[];
  /** By device; `unread` where the device could not be read for another reason than a lack of privilege. */
  readonly headers: readonly { readonly device: string; readonly header: HeaderReading | 'unread' }[];
}

interface Surroundings {
  readonly sysDir: string;
  readonly devDir: string;
  readonly mounts: readonly Mount[];
}

/** Kernel name of a device node or of a link to one; null where it is no device. */
function nameOfNode(path: string, { devDir }: Surroundings): string | null {
  if (!path.startsWith('/dev/')) return null;
  try {
    return basename(realpathSync(join(devDir, path.slice('/dev/'.length))));
  } catch (cause) {
    throw new Unreadable('denied', 'the device of a volume is hidden from this process', cause);
  }
}

function protectionOfNames(names: readonly string[], around: Surroundings, depth: number): Protection {
  const parts = names.map((name): Protection => {
    const number = numberOfDevice(around.sysDir, name);
    return number === null ? { kind: 'unidentified' } : protectionOfNumber(number, around, depth);
  });
  return together(parts);
}

function protectionOfNumber(number: string, around: Surroundings, depth: number): Protection {
  return protectionOf(around.sysDir, number, (path, below) => protectionOfFile(path, around, below), depth);
}

function protectionOfFile(path: string, around: Surroundings, depth: number): Protection {
  const mount = mountOf(path, around.mounts);
  return mount === null ? { kind: 'unidentified' } : protectionOfMount(mount, around, depth);
}

function protectionOfMount(mount: Mount, around: Surroundings, depth: number): Protection {
  if (!mount.device.startsWith('0:')) return protectionOfNumber(mount.device, around, depth);
  if (WITHOUT_DISK.has(mount.fsType)) return { kind: 'memory' };
  if (!NAMED_BY_SOURCE.has(mount.fsType)) return { kind: 'unidentified' };
  const names = mount.source.split(':').map((source) => nameOfNode(source, around));
  const all = names.flatMap((name) => {
    if (name === null || mount.fsType !== 'btrfs') return [name];
    const members = btrfsDevices(around.sysDir, name);
    return members.length === 0 ? [null] : members;
  });
  if (all.includes(null)) return { kind: 'unidentified' };
  return protectionOfNames(all as string[], around, depth);
}

function volume(protection: Protection, use: EncryptedVolume['use'], mountPoints: string[]): EncryptedVolume[] {
  if (protection.kind === 'memory') return [];
  const headers = protection.kind === 'luks' ? protection.headers : [];
  return [{ mountPoints: mountPoints.sort(), use, protection: protection.kind, headers }];
}

/** A device that is mounted at several places is one volume. */
function mountedVolumes(around: Surroundings): EncryptedVolume[] {
  const bySource = new Map<string, Mount[]>();
  for (const mount of around.mounts) {
    const key = mount.device.startsWith('0:') ? `${mount.fsType} ${mount.source} ${mount.device}` : mount.device;
    bySource.set(key, [...(bySource.get(key) ?? []), mount]);
  }
  return [...bySource.values()].flatMap((mounts) => {
    const [first] = mounts;
    if (first === undefined) return [];
    const points = [...new Set(mounts.map((mount) => mount.mountPoint))];
    return volume(protectionOfMount(first, around, 0), 'mounted', points);
  });
}

/** proc(5), /proc/swaps: a header, then lines of name, type, size, used, priority. */
function swapVolumes(text: string, around: Surroundings): EncryptedVolume[] {
  const [header, ...lines] = text.split('\n');
  if (header?.startsWith('Filename') !== true)
    throw new Unreadable('unparsable', '/proc/swaps is not what proc(5) documents');
  return lines
    .filter((line) => line !== '')
    .flatMap((line) => {
      const [path = '', type] = line.split(/\s+/);
      if (type === 'file') return volume(protectionOfFile(path, around, 0), 'swap', []);
      const name = nameOfNode(path, around);
      return volume(name === null ? { kind: 'unidentified' } : protectionOfNames([name], around, 0), 'swap', []);
    });
}

function readBytes(fd: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const read = readSync(fd, bytes, done, length - done, done);
    if (read === 0) break;
    done += read;
  }
  return bytes.subarray(0, done);
}

function readHeader(device: string, devDir: string): HeaderReading | 'unread' {
  let fd: number;
  try {
    fd = openSync(join(devDir, device), 'r');
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code;
    // The kernel names the volume, so a missing node means a sandbox without devices (PrivateDevices=).
    if (errno === 'EACCES' || errno === 'EPERM' || errno === 'ENOENT') {
      throw new Unreadable('denied', 'reading the header of a volume needs root and its device', cause);
    }
    return 'unread';
  }
  try {
    const size = headerBytes(readBytes(fd, FIRST_READ_BYTES));
    return parseLuksHeader(readBytes(fd, size ?? FIRST_READ_BYTES));
  } catch {
    return 'unread';
  } finally {
    closeSync(fd);
  }
}

export function readEncryption(context: Pick<ProbeContext, 'procDir' | 'sysDir' | 'devDir'>): EncryptionFacts {
  const procDir = context.procDir ?? '/proc';
  const devDir = context.devDir ?? '/dev';
  const mounts = parseMountInfo(readFileLimited(join(procDir, 'self/mountinfo'), MAX_MOUNTINFO_BYTES).toString('utf8'));
  const around = { sysDir: context.sysDir ?? '/sys', devDir, mounts };
  const swaps = readFileLimited(join(procDir, 'swaps'), MAX_SWAPS_BYTES).toString('utf8');
  const volumes = [...mountedVolumes(around), ...swapVolumes(swaps, around)];
  const devices = [...new Set(volumes.flatMap((one) => one.headers))].sort();
  return { volumes, headers: devices.map((device) => ({ device, header: readHeader(device, devDir) })) };
}

export const encryptionProbe: Probe<EncryptionFacts> = {
  name: 'encryption',
  asRoot: { everyS: 3600 },
  read: async (context) => readEncryption(context),
};
