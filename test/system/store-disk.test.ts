import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isAgentError } from '../../agent/errors/agent-error.ts';
import { createRecorder } from '../../agent/evidence/recorder.ts';
import { finding, openLog, verdictOn } from '../support/evidence-fixtures.ts';
import { expectCode } from '../support/expect-code.ts';
import { createLoopDisk, whyNoLoopDisk, type LoopDisk } from '../support/loop-disk.ts';

const DISK_MIB = 16;
const BALLAST_BYTES = 4 * 1024 * 1024;
/** More findings than such a disk can hold. */
const TOO_MANY = 20_000;

const why = whyNoLoopDisk();

describe('a store on a disk of its own', () => {
  let disk: LoopDisk | undefined;
  let dir = '';
  let ballast = '';
  beforeEach((context) => {
    context.skip(why !== null, why ?? '');
    disk = createLoopDisk(DISK_MIB);
    dir = join(disk.path, 'state');
    ballast = join(disk.path, 'ballast');
    mkdirSync(dir);
    writeFileSync(ballast, Buffer.alloc(BALLAST_BYTES));
  });
  afterEach(() => disk?.destroy());

  /** Uses up every block that is left. */
  const fillUp = (): void => {
    for (let bytes = 1024 * 1024, n = 0; bytes >= 512; n++) {
      try {
        writeFileSync(join(disk?.path ?? '', `filler-${n}`), Buffer.alloc(bytes));
      } catch {
        bytes = Math.floor(bytes / 2);
      }
    }
  };

  it('says store_full when the disk is full, keeps every entry that was acknowledged, and goes on when there is room', () => {
    const { store, log, clock } = openLog(dir);
    const recorder = createRecorder({ store, log, clock });
    let acknowledged = 0;
    let code: string | null = null;
    for (let n = 0; code === null && n < TOO_MANY; n++) {
      try {
        recorder.recordFindings([finding({ facts: { state_used_percent: n } })]);
        acknowledged = log.size();
      } catch (error) {
        code = isAgentError(error) ? error.code : String(error);
      }
    }
    expect(code).toBe('store_full');
    expect(acknowledged).toBeGreaterThan(100);
    expect(log.size()).toBe(acknowledged);
    expect(store.findings.get('appliance', 'disk')?.sinceSeq).toBe(acknowledged - 1);
    rmSync(ballast);
    log.append('gap', GAP);
    expect(verdictOn(store)).toMatchObject({ ok: true, size: acknowledged + 1 });
    store.close();
    const again = openLog(dir);
    expect(again.log.size()).toBe(acknowledged + 1);
    again.store.close();
  });

  it('says store_full when it is opened on a full disk, and opens when there is room again', () => {
    const first = openLog(dir);
    const size = first.log.size();
    first.store.close();
    fillUp();
    expect(statfsSync(dir).bavail).toBe(0);
    expectCode(() => openLog(dir), 'store_full');
    rmSync(ballast);
    const again = openLog(dir);
    expect(again.log.size()).toBe(size);
    again.store.close();
  });

  it('says store_read_only on a file system that is mounted read-only, as after a disk error', () => {
    openLog(dir).store.close();
    disk?.setReadOnly();
    expectCode(() => openLog(dir), 'store_read_only');
    expectCode(() => openLog(join(dir, 'new')), 'store_read_only');
  });
});

const GAP = {
  reason: 'disk_full',
  sentence: 'The disk was full.',
  gap_from: 1_780_315_200,
  gap_to: 1_780_315_300,
  dropped: { heartbeat: 1 },
} as const;
