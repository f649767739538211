import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDocument } from '../../agent/trust/open-document.ts';
import { leafHash, rootOfLeaves } from '../../agent/wire/merkle.ts';
import { chosenSeed, seededRandom } from '../support/acknowledgements.ts';
import { makeCentral, type RunningCentral, type TestCentral } from '../support/central-process.ts';
import { checkIn, enrolDevice, evidenceLines, postEvidence, type Enrolled } from '../support/device.ts';
import { createLoopDisk, whyNoLoopDisk, type LoopDisk } from '../support/loop-disk.ts';

const CUTS = 10;
const DISK_MIB = 256;
const ENTRIES = 2_000;
const BATCH = 4;
/** Uploads that are receipted before a cut, at most. */
const MAX_UPLOADS = 30;
/** The cut comes within the next upload, or just after it. */
const MAX_DELAY_MS = 15;
const LOG = 'acme.internal_north-1_1';
/** Makes every fsync of a process do nothing (Debian package eatmydata). */
const EAT = spawnSync('sh', ['-c', 'command -v eatmydata']).stdout.toString().trim();

const why = whyNoLoopDisk();

describe('power cut under Central Command', () => {
  let disk: LoopDisk;
  let central: TestCentral;
  let server: RunningCentral;
  let me: Enrolled;
  let lines: string[];
  let random: () => number;
  beforeEach(async (context) => {
    context.skip(why !== null, why ?? '');
    disk = createLoopDisk(DISK_MIB);
    central = await makeCentral({ parent: disk.path });
    server = await central.serve();
    me = await enrolDevice(central, server.url, 'north-1');
    lines = evidenceLines(me, ENTRIES);
    random = seededRandom(chosenSeed('CENTRAL_POWER_CUT_SEED'));
  });
  afterEach(async () => {
    await server?.stop('SIGKILL');
    disk?.destroy();
  });

  const rootAt = (size: number) => rootOfLeaves(lines.slice(0, size).map((l) => leafHash(l))).toString('hex');

  /** Uploads until the power is cut in the middle of it. @returns size of the last receipt that arrived before the cut */
  async function uploadUntilCut(from: number): Promise<number> {
    const uploads = 1 + Math.floor(random() * MAX_UPLOADS);
    let receipted = from;
    const next = async (): Promise<void> => {
      const answer = await postEvidence(central, server.url, me, receipted, lines.slice(receipted, receipted + BATCH));
      receipted = openDocument(central.root.root, 'receipt', 'receipt', answer.body).value.size;
    };
    for (let i = 0; i < uploads; i++) await next();
    // An error is what a server without a disk answers.
    const last = next().catch(() => {});
    await sleep(random() * MAX_DELAY_MS);
    const before = receipted;
    disk.cutPower();
    await server.stop('SIGKILL');
    await last;
    disk.remount();
    return before;
  }

  /** Entries in whole files of the log. */
  function entriesOnDisk(): number {
    const folder = join(central.dataDir, 'evidence', LOG);
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.jsonl')) : [];
    return names.reduce((sum, name) => sum + readFileSync(join(folder, name), 'utf8').split('\n').length - 1, 0);
  }

  it(`leaves no receipt for lines that are not on the disk, after ${CUTS} cuts at random points, and all goes on`, async () => {
    let size = 0;
    for (let cut = 0; cut < CUTS; cut++) {
      const receipted = await uploadUntilCut(size);
      server = await central.serve();
      const where = `cut ${cut}`;
      expect(server.log(), where).not.toContain('evidence_');
      const { stored } = await checkIn(central, server.url, me);
      expect(stored.size, where).toBeGreaterThanOrEqual(receipted);
      expect(stored.root, where).toBe(rootAt(stored.size));
      size = stored.size;
    }
    expect(size).toBeGreaterThan(CUTS * BATCH);
    const { logs } = await central.json<{ logs: { ok: boolean; size: number }[] }>('evidence', 'verify');
    expect(logs).toMatchObject([{ ok: true, size }]);
  });

  it('the same cuts do lose receipted lines of a server whose syncs do nothing, so that the test has teeth', async (context) => {
    context.skip(EAT === '', 'needs eatmydata');
    await server.stop();
    process.env['LD_PRELOAD'] = 'libeatmydata.so';
    try {
      server = await central.serve();
    } finally {
      delete process.env['LD_PRELOAD'];
    }
    const receipted = await uploadUntilCut(0);
    const kept = entriesOnDisk();
    process.stdout.write(`control: ${receipted - kept} of ${receipted} receipted entries lost\n`);
    expect(kept).toBeLessThan(receipted);
  });

  it('keeps files that root can neither change nor remove, where the file system has the attribute, and goes on', async () => {
    await server.stop();
    server = await central.serve('--evidence-store', 'folder:immutable');
    for (let size = 0; size < 8; size += BATCH) {
      const answer = await postEvidence(central, server.url, me, size, lines.slice(size, size + BATCH));
      expect(answer.status).toBe(200);
    }
    const folder = join(central.dataDir, 'evidence', LOG);
    const file = join(folder, '000000000000-000000000003.jsonl');
    expect(() => writeFileSync(file, 'x')).toThrow(/EPERM/);
    expect(() => rmSync(file)).toThrow(/EPERM/);
    expect(() => rmSync(folder, { recursive: true })).toThrow(/EPERM|ENOTEMPTY/);
    expect(entriesOnDisk()).toBe(8);
    expect((await central.json<{ protection: string }>('evidence', 'audit')).protection).toContain('immutable files');
    await server.stop('SIGKILL');
    server = await central.serve();
    const { stored } = await checkIn(central, server.url, me);
    expect(stored).toEqual({ size: 8, root: rootAt(8) });
  });
});
