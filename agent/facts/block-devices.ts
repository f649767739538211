// Follows a block device down to what it lies on, in /sys/dev/block: mapper, RAID, loop, partition, disk.
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Unreadable } from './probe.ts';

/** Deeper than any stack of file, loop, mapper, RAID and disk. */
const MAX_DEPTH = 16;

/** What protects the data of a device. */
export type Protection =
  /** Everything goes through these LUKS volumes; each name is that of the device node that holds the header. */
  | { readonly kind: 'luks'; readonly headers: readonly string[] }
  /** Some of it lies on a disk in clear. */
  | { readonly kind: 'clear' }
  /** It lies in memory and is gone with the power. */
  | { readonly kind: 'memory' }
  /** It goes through a mapping that encrypts without a LUKS header, which nobody can judge. */
  | { readonly kind: 'other_crypt' }
  /** What it lies on cannot be found out. */
  | { readonly kind: 'unidentified' };

/** The file of a loop device lies on a file system of its own: the caller knows the mounts. */
export type FileProtection = (path: string, depth: number) => Protection;

function readLine(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').replace(/\n$/, '');
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code;
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return null;
    throw error;
  }
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** In clear as soon as one part is; judged only where all are. */
export function together(parts: readonly Protection[]): Protection {
  if (parts.length === 0) return { kind: 'unidentified' };
  if (parts.every((part) => part.kind === 'memory')) return { kind: 'memory' };
  for (const kind of ['clear', 'unidentified', 'other_crypt'] as const) {
    if (parts.some((part) => part.kind === kind)) return { kind };
  }
  const headers = parts.flatMap((part) => (part.kind === 'luks' ? part.headers : []));
  return { kind: 'luks', headers: [...new Set(headers)].sort() };
}

/**
 * @param device `254:0`
 * @throws Unreadable where the stack does not end
 */
export function protectionOf(sysDir: string, device: string, ofFile: FileProtection, depth = 0): Protection {
  if (depth > MAX_DEPTH) throw new Unreadable('unparsable', 'the stack of block devices does not end');
  let dir: string;
  try {
    dir = realpathSync(join(sysDir, 'dev/block', device));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'unidentified' };
    throw error;
  }
  const below = namesIn(join(dir, 'slaves'));
  const uuid = readLine(join(dir, 'dm/uuid'));
  if (uuid?.startsWith('CRYPT-') === true) {
    // Device-mapper's name for it: CRYPT-LUKS2-<uuid>-<name>.
    return /^CRYPT-LUKS[12]-/.test(uuid) && below.length > 0
      ? { kind: 'luks', headers: [...below].sort() }
      : { kind: 'other_crypt' };
  }
  if (below.length > 0) {
    const numbers = below.map((name) => readLine(join(dir, 'slaves', name, 'dev')));
    return together(
      numbers.map((number) =>
        number === null ? { kind: 'unidentified' } : protectionOf(sysDir, number, ofFile, depth + 1),
      ),
    );
  }
  const file = readLine(join(dir, 'loop/backing_file'));
  if (file !== null) return ofFile(file, depth + 1);
  // Compressed memory, unless it is written back to a device of its own.
  if (/^zram\d+$/.test(basename(dir)) && (readLine(join(dir, 'backing_dev')) ?? 'none') === 'none') {
    return { kind: 'memory' };
  }
  return { kind: 'clear' };
}

/** Devices of a btrfs file system that lies on this one: all of them, not only the one that was mounted. */
export function btrfsDevices(sysDir: string, name: string): string[] {
  const root = join(sysDir, 'fs/btrfs');
  for (const id of namesIn(root)) {
    const names = namesIn(join(root, id, 'devices'));
    if (names.includes(name)) return names;
  }
  return [];
}

/** `254:0` of a device by its name in the kernel; null where it has none. */
export function numberOfDevice(sysDir: string, name: string): string | null {
  return readLine(join(sysDir, 'class/block', name, 'dev'));
}
