// Reads how full the file systems are that the agent lives on, and whether they can be written.
import { realpath, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { readFileLimited } from '../system/files.ts';
import { mountOf, parseMountInfo, type Mount } from './mount-info.ts';
import { Unreadable, type Probe } from './probe.ts';

const MIB = 1024 * 1024;
const MAX_MOUNTINFO_BYTES = 4 * MIB;

export interface VolumeFacts {
  readonly fsType: string;
  readonly totalMib: number;
  readonly freeMib: number;
  /** As df(1) shows it: of what an unprivileged process can use, rounded up. */
  readonly usedPercent: number;
  /** Null where the file system has no fixed number of inodes (btrfs). */
  readonly inodesUsedPercent: number | null;
  readonly readOnly: boolean;
}

export interface DiskFacts {
  /** Holds the state directory; read-only as this process sees it. */
  readonly state: VolumeFacts;
  /** Holds `/`; read-only as a file system (the unit's sandbox shows it read-only anyway). */
  readonly root: VolumeFacts;
}

interface Space {
  readonly bsize: number;
  readonly blocks: number;
  readonly bfree: number;
  readonly bavail: number;
  readonly files: number;
  readonly ffree: number;
}

/** Whole percent, rounded up: 100 only where nothing is left, except by rounding the last one. */
function percent(used: number, available: number): number {
  return used + available <= 0 ? 0 : Math.ceil((used * 100) / (used + available));
}

/** Pure. */
export function volumeFacts(space: Space, fsType: string, readOnly: boolean): VolumeFacts {
  return {
    fsType,
    totalMib: Math.floor((space.blocks * space.bsize) / MIB),
    freeMib: Math.floor((space.bavail * space.bsize) / MIB),
    usedPercent: percent(space.blocks - space.bfree, space.bavail),
    inodesUsedPercent: space.files === 0 ? null : percent(space.files - space.ffree, space.ffree),
    readOnly,
  };
}

async function readVolume(
  path: string,
  mounts: readonly Mount[],
  isReadOnly: (mount: Mount) => boolean,
): Promise<VolumeFacts> {
  const real = await realpath(path);
  const mount = mountOf(real, mounts);
  if (mount === null) throw new Unreadable('unparsable', `no mount holds ${real}`);
  return volumeFacts(await statfs(real), mount.fsType, isReadOnly(mount));
}

export const diskProbe: Probe<DiskFacts> = {
  name: 'disk',
  async read(context) {
    const mountInfo = readFileLimited(join(context.procDir ?? '/proc', 'self/mountinfo'), MAX_MOUNTINFO_BYTES);
    const mounts = parseMountInfo(mountInfo.toString('utf8'));
    const [state, root] = await Promise.all([
      readVolume(context.stateDir, mounts, (mount) => mount.mountReadOnly || mount.fileSystemReadOnly),
      readVolume('/', mounts, (mount) => mount.fileSystemReadOnly),
    ]);
    return { state, root };
  },
};
