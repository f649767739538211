import { describe, expect, it } from 'vitest';
import { volumeFacts } from '../../../agent/facts/disk.ts';
import { mountOf, parseMountInfo } from '../../../agent/facts/mount-info.ts';
import { readFacts } from '../../../agent/facts/read-facts.ts';
import { fixture, probeContext } from '../../support/fixture-facts.ts';

const mounts = parseMountInfo(fixture('proc/mountinfo'));

describe('mountinfo', () => {
  it('the longest mount point that holds a path is its mount, and of equal ones the last', () => {
    expect(mountOf('/var/lib/agent/agent.db', mounts)?.mountReadOnly).toBe(false);
    expect(mountOf('/var/lib/agent2', mounts)?.mountPoint).toBe('/');
    expect(mountOf('/tmp/x', mounts)?.fsType).toBe('xfs');
  });

  it('a read-only mount and a read-only file system are told apart', () => {
    expect(mountOf('/etc', mounts)).toMatchObject({ mountReadOnly: true, fileSystemReadOnly: false });
    expect(mountOf('/mnt/broken/x', mounts)).toMatchObject({ mountReadOnly: false, fileSystemReadOnly: true });
  });

  it('names with spaces, tabs and backslashes are read as they are', () => {
    expect(mountOf('/mnt/with space\\and\ttab/x', mounts)?.mountPoint).toBe('/mnt/with space\\and\ttab');
  });

  it('lines that do not fit are left out', () => {
    expect(parseMountInfo('\nnonsense\n1 2 3 4 5 6 7\n')).toEqual([]);
  });
});

describe('fill levels', () => {
  it('used percent is of what a plain process can use, as df shows it', () => {
    const space = { bsize: 4096, blocks: 1_000, bfree: 150, bavail: 100, files: 100, ffree: 99 };
    expect(volumeFacts(space, 'ext4', false)).toMatchObject({ usedPercent: 90, inodesUsedPercent: 1 });
  });

  it('a full disk is 100 percent, and a file system without fixed inodes has none', () => {
    const full = { bsize: 4096, blocks: 1_000, bfree: 50, bavail: 0, files: 0, ffree: 0 };
    expect(volumeFacts(full, 'btrfs', false)).toMatchObject({ usedPercent: 100, inodesUsedPercent: null, freeMib: 0 });
  });

  it('a state directory that is not there makes the fact unreadable', async () => {
    const { disk } = await readFacts(['disk'], probeContext({ procDir: '/proc', stateDir: '/nowhere/at/all' }));
    expect(disk).toMatchObject({ status: 'unreadable', reason: 'failed' });
  });

  it('this machine has readable disks', async () => {
    const { disk } = await readFacts(['disk'], probeContext({ procDir: '/proc' }));
    expect(disk?.status).toBe('read');
  });
});
