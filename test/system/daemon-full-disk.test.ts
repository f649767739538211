import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { linesOnDisk } from '../support/crash-runs.ts';
import { demoSite } from '../support/demo-site.ts';
import { createLogVerifier } from '../../agent/verify/log-verifier.ts';
import { openRecords } from '../../central/service/central.ts';
import { until } from '../../tools/demo/process.ts';

const SIZE = '24m';
const PIECE_BYTES = 4_096;
const root = process.getuid?.() === 0;

/** Writes until there is no room; the daemon takes and gives back pages meanwhile, so nothing can be reckoned beforehand. */
function fillUp(path: string): void {
  const file = openSync(path, 'a');
  try {
    for (;;) writeSync(file, Buffer.alloc(PIECE_BYTES));
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

describe('a running daemon whose disk fills up', () => {
  const site = demoSite();
  const filler = join(site.paths.state, 'filler');
  let mounted = false;

  beforeAll(() => {
    if (!root) return;
    execFileSync('mkdir', ['-p', site.paths.state]);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE},mode=0700`, 'tmpfs', site.paths.state]);
    mounted = true;
  });
  afterAll(async () => {
    await site.end();
    if (mounted) execFileSync('umount', ['--lazy', site.paths.state]);
  });

  it('says store_full, loses nothing that it had written, and goes on when there is room again', async (ctx) => {
    if (!mounted) return ctx.skip('needs root, to mount a small file system');
    await site.provision();
    const agent = site.startAgent();
    await site.confirm();
    fillUp(filler);
    await until('it says that the disk is full', () => (agent.output().includes('store_full') ? true : null), 60_000);
    const before = linesOnDisk(site);
    rmSync(filler);
    await site.untilStatus(
      'it writes, checks in and uploads again',
      (s) => s.blocking_reason === null && (s.log?.size ?? 0) > before.length && s.stored_size === s.log?.size,
      60_000,
    );
    expect(await site.endAgent('SIGTERM', 10_000)).toBe(0);
    const after = linesOnDisk(site);
    expect(after.slice(0, before.length)).toEqual(before);
    const records = openRecords(site.paths.data);
    const verifier = createLogVerifier({ root: records.trust.root().root });
    records.close();
    for (const line of after) verifier.push(line);
    expect(verifier.finish()).toMatchObject({ ok: true, size: after.length });
  });
});
