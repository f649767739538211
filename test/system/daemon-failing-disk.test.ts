// A disk of its own under a running daemon: no inodes left, and read-only from one moment to the next.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createLogVerifier } from '../../agent/verify/log-verifier.ts';
import { openRecords } from '../../central/service/central.ts';
import { until } from '../../tools/demo/process.ts';
import { linesOnDisk } from '../support/crash-runs.ts';
import { demoSite } from '../support/demo-site.ts';
import { createLoopDisk, whyNoLoopDisk, type LoopDisk } from '../support/loop-disk.ts';

const DISK_MIB = 64;
const INODES = 1_024;
const WITHIN_MS = 90_000;
const why = whyNoLoopDisk();

describe('a running daemon whose disk fails in another way than by being full', () => {
  const site = demoSite();
  let disk: LoopDisk | null = null;
  afterAll(async () => {
    await site.end();
    disk?.destroy();
  });

  async function stored(): Promise<void> {
    await site.untilStatus(
      'it writes, checks in and uploads',
      (s) => s.blocking_reason === null && (s.log?.size ?? 0) > 2 && s.stored_size === s.log?.size,
      WITHIN_MS,
    );
  }
  function verifies(lines: readonly string[]): void {
    const records = openRecords(site.paths.data);
    const verifier = createLogVerifier({ root: records.trust.root().root });
    records.close();
    for (const line of lines) verifier.push(line);
    expect(verifier.finish()).toMatchObject({ ok: true, size: lines.length });
  }

  it('says that no inodes are left, keeps recording and uploading, and writes its status again afterwards', async (ctx) => {
    ctx.skip(why !== null, why ?? '');
    disk = createLoopDisk(DISK_MIB, INODES);
    symlinkSync(disk.path, site.paths.state);
    await site.provision();
    const agent = site.startAgent();
    await site.confirm();
    await stored();
    const fillers = join(disk.path, 'fillers');
    mkdirSync(fillers);
    try {
      for (let n = 0; ; n += 1) writeFileSync(join(fillers, String(n)), '');
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
    await until(
      'it says that its status cannot be written',
      () => (agent.output().includes('status not written') ? true : null),
      WITHIN_MS,
    );
    const before = linesOnDisk(site).length;
    await until('the log says that the disk fails', () => (diskFails(before) ? true : null), WITHIN_MS);
    rmSync(fillers, { recursive: true });
    // Or a disk that fails within the next seconds brings them back.
    execFileSync('sync', ['--file-system', disk.path]);
    await stored();
    // Said once, not with each of the stages that ran meanwhile.
    expect(agent.output().split('status not written').length - 1).toBeLessThanOrEqual(2);
    verifies(linesOnDisk(site));
  });

  it('names a disk that became read-only under it, goes on running, and takes up again after a repair and a start', async (ctx) => {
    ctx.skip(why !== null || disk === null, why ?? 'nothing was mounted');
    const agent = site.agentProcess()!;
    await stored();
    const before = linesOnDisk(site);
    const said = agent.output().length;
    disk!.failUnderWriters();
    await until(
      'it says so',
      () => (/store_read_only|store_io/.test(agent.output().slice(said)) ? true : null),
      WITHIN_MS,
      () => agent.output().slice(said),
    );
    const checkins = (): number => agent.output().length;
    const heard = checkins();
    await until('it still runs and says more', () => (checkins() > heard ? true : null), WITHIN_MS);
    expect(agent.output()).not.toContain('defect');
    await site.endAgent('SIGTERM', 12_000);
    disk!.remount();
    site.startAgent();
    await stored();
    const after = linesOnDisk(site);
    expect(after.slice(0, before.length)).toEqual(before);
    verifies(after);
  });

  function diskFails(from: number): boolean {
    return linesOnDisk(site)
      .slice(Math.max(0, from - 3))
      .some((line) => {
        const payload = Buffer.from((JSON.parse(line) as { payload: string }).payload, 'base64').toString();
        return payload.includes('"disk"') && payload.includes('"fail"') && payload.includes('inodes');
      });
  }
});
