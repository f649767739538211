// The disk check on real file systems in files of their own: full, out of inodes, read-only, in memory.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readFacts } from '../../agent/facts/read-facts.ts';
import { systemClock } from '../../agent/system/clock.ts';
import type { Finding } from '../../agent/wire/schemas/finding.ts';
import { live, type Part } from '../support/check-rows.ts';
import { probeContext } from '../support/fixture-facts.ts';
import { judgeLive } from '../support/judge-live.ts';
import { createLoopDisk, whyNoLoopDisk, type LoopDisk } from '../support/loop-disk.ts';

const DISK_MIB = 64;
const EXT4 = live('ext4 on a loop device', 'mkfs.ext4', '-V');
const MIB = 1024 * 1024;

const problem = whyNoLoopDisk();
let disk: LoopDisk;
beforeEach((context) => {
  context.skip(problem !== null, problem ?? '');
  disk = createLoopDisk(DISK_MIB);
});
afterEach(() => disk?.destroy());

/** The shipped limits, the free space scaled to this disk; what `/` of this machine looks like is not judged. */
const scaled = (yaml: string): string =>
  yaml
    .replace('free_mib: 512', 'free_mib: 4')
    .replace('used_percent: 90', 'used_percent: 100')
    .replace('critical_percent: 98', 'critical_percent: 100')
    .replace('free_mib: 256', 'free_mib: 0');

async function judge(stateDir: string, part: Part = EXT4): Promise<Finding> {
  const facts = await readFacts(['disk'], probeContext({ clock: systemClock, stateDir, procDir: '/proc' }));
  return judgeLive('disk', facts, part, scaled);
}

/** One more file that leaves `freeMib` free for everybody. */
function fillUntil(freeMib: number): void {
  const { bavail, bsize } = statfsSync(disk.path);
  writeFileSync(join(disk.path, `ballast-${freeMib}`), Buffer.alloc(Math.max(0, bavail * bsize - freeMib * MIB)));
}

describe('the disk check on real file systems', () => {
  it('passes an empty volume, and counts as df does', async () => {
    const finding = await judge(disk.path);
    const df = spawnSync('df', ['--output=pcent,ipcent', disk.path], { encoding: 'utf8' }).stdout.match(/\d+(?=%)/g);
    expect(finding).toMatchObject({ result: 'pass', facts: { state_file_system: 'ext4', state_read_only: false } });
    expect([finding.facts.state_used_percent, finding.facts.state_inodes_used_percent]).toEqual(df?.map(Number));
  });

  it('a volume filled beyond its first limit is a fail, beyond its last a critical one', async () => {
    fillUntil(8);
    expect(await judge(disk.path)).toMatchObject({ result: 'fail', severity: 'medium', facts: { state_fill: 'high' } });
    fillUntil(0);
    const full = await judge(disk.path);
    expect(full).toMatchObject({ result: 'fail', severity: 'critical', facts: { state_fill: 'critical' } });
  });

  it('a volume without a free inode is critical though it is empty of data', async () => {
    let made = 0;
    mkdirSync(join(disk.path, 'many'));
    for (let free = statfsSync(disk.path).ffree; free > 0; free = statfsSync(disk.path).ffree) {
      for (let n = 0; n < free; n++) writeFileSync(join(disk.path, 'many', String(made++)), '');
    }
    const finding = await judge(disk.path);
    expect(finding).toMatchObject({ result: 'fail', severity: 'critical', facts: { state_inodes_used_percent: 100 } });
    expect(finding.facts.state_used_percent).toBeLessThan(80);
  });

  it('a volume that turned read-only is critical', async () => {
    disk.setReadOnly();
    expect(await judge(disk.path)).toMatchObject({
      result: 'fail',
      severity: 'critical',
      facts: { state_read_only: true },
    });
  });

  it('a state directory in memory is critical: evidence would not survive a restart', async (context) => {
    const point = mkdtempSync(join(tmpdir(), 'memory-'));
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'none', point], { encoding: 'utf8' });
    try {
      context.skip(mounted.status !== 0, `this machine mounts no tmpfs: ${mounted.stderr}`);
      expect(await judge(point, live('tmpfs'))).toMatchObject({
        result: 'fail',
        severity: 'critical',
        facts: { state_file_system: 'tmpfs' },
      });
    } finally {
      if (mounted.status === 0) spawnSync('umount', [point]);
      rmSync(point, { recursive: true });
    }
  });

  it('a state directory that is gone is unknown and never a pass', async () => {
    expect(await judge(join(disk.path, 'gone'))).toMatchObject({ result: 'unknown' });
  });
});
