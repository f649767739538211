// What the tests with power cuts rest on: a disk comes back as it was flushed, whatever else this machine runs meanwhile.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { until } from '../../tools/demo/process.ts';
import { createLoopDisk, whyNoLoopDisk } from '../support/loop-disk.ts';

const MEBIBYTES = 320;

describe.each(['ext4', 'xfs'] as const)('a disk with %s that lost its power', (fileSystem) => {
  it('holds what was flushed, also while a process of another mount namespace keeps the file system of before', async (context) => {
    const why = whyNoLoopDisk(fileSystem);
    context.skip(why !== null, why ?? '');
    const disk = createLoopDisk(MEBIBYTES, undefined, fileSystem);
    const holder = spawn('unshare', ['--mount', 'sleep', '600'], { stdio: 'ignore' });
    try {
      const holds = (): true | null =>
        readFileSync(`/proc/${holder.pid}/comm`, 'utf8').trim() === 'sleep' ? true : null;
      await until('another process holds the mount', holds, 30_000);
      writeFileSync(join(disk.path, 'flushed'), 'kept');
      const descriptor = openSync(join(disk.path, 'flushed'), 'r+');
      fsyncSync(descriptor);
      closeSync(descriptor);
      writeFileSync(join(disk.path, 'only-written'), 'lost');
      disk.cutPower();
      disk.remount();
      expect(readFileSync(join(disk.path, 'flushed'), 'utf8')).toBe('kept');
      const isLeft = existsSync(join(disk.path, 'only-written'));
      expect(isLeft && readFileSync(join(disk.path, 'only-written'), 'utf8') === 'lost').toBe(false);
    } finally {
      const ended = once(holder, 'close');
      holder.kill('SIGKILL');
      await ended;
      disk.destroy();
    }
  });
});
