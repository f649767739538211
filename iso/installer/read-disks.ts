// The disks of this machine as they are now: lsblk, /sys, and the first bytes of every place where an install could begin.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { Exec } from '../../agent/system/ports.ts';
import {
  diskFacts,
  disksOf,
  LSBLK_COLUMNS,
  parseLsblk,
  withChildren,
  type BlockDevice,
  type DiskFacts,
} from './disk-facts.ts';
import { ROOT_START_BYTES } from './layout.ts';
import { foundInstall, HEADER_BYTES, HEADER_OFFSETS, type FoundInstall } from './luks-header.ts';

/** A broken disk may take long to say so. */
const READ_DEADLINE_MS = 60_000;

/** @throws installer_disk_not_there where lsblk does not answer */
export async function readDisks(exec: Exec): Promise<readonly DiskFacts[]> {
  const argv = ['lsblk', '--json', '--bytes', '--output', LSBLK_COLUMNS] as const;
  const { status, code, stdout } = await exec.run(argv, { deadlineMs: READ_DEADLINE_MS });
  if (status !== 'exited' || code !== 0) {
    throw new AgentError(
      'installer_disk_not_there',
      `lsblk did not say which disks there are (${status} ${code ?? ''})`,
    );
  }
  return Promise.all(
    disksOf(parseLsblk(stdout.toString())).map(async (one) =>
      diskFacts(one, await labelsOn(exec, one), installsOn(one), deviceTypeOf(one.name)),
    ),
  );
}

/** Read from the devices: what lsblk says of labels comes from udev, which may be late. blkid exits with 2 where it finds none. */
async function labelsOn(exec: Exec, one: BlockDevice): Promise<readonly string[]> {
  const labels: string[] = [];
  for (const { path } of withChildren(one)) {
    const argv = ['blkid', '--probe', '--match-tag', 'LABEL', '--output', 'value', path] as const;
    const { stdout } = await exec.run(argv, { deadlineMs: READ_DEADLINE_MS });
    const label = stdout.toString().trim();
    if (label !== '') labels.push(label);
  }
  return labels;
}

/**
 * Also where our volume lies on every disk of ours, whatever the partition table says: a disk whose table was damaged still holds
 * what is on it. A disk that cannot be read has no install; it cannot be written either.
 */
function installsOn(one: BlockDevice): readonly FoundInstall[] {
  const places = [
    { path: one.path, offset: ROOT_START_BYTES },
    ...withChildren(one).map(({ path }) => ({ path, offset: 0 })),
  ];
  return places.flatMap(({ path, offset }) =>
    HEADER_OFFSETS.flatMap((header) => {
      const found = foundInstall(readAt(path, offset + header));
      return found === null ? [] : [found];
    }),
  );
}

function readAt(path: string, position: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  try {
    const fd = openSync(path, 'r');
    try {
      return bytes.subarray(0, readSync(fd, bytes, 0, HEADER_BYTES, position));
    } finally {
      closeSync(fd);
    }
  } catch {
    return bytes.subarray(0, 0);
  }
}

/** What the kernel says of the kind of a device; null where it says nothing. */
function deviceTypeOf(name: string): string | null {
  try {
    return readFileSync(`/sys/block/${name}/device/type`, 'utf8').trim() || null;
  } catch {
    return null;
  }
}
