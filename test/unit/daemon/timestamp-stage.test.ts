import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { DaemonContext } from '../../../agent/daemon/context.ts';
import { afterFailure, firstState } from '../../../agent/daemon/stage.ts';
import { timestampStage } from '../../../agent/daemon/stages/timestamp-stage.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { openLog } from '../../support/evidence-fixtures.ts';

const dir = mkdtempSync(join(tmpdir(), 'timestamp-stage-'));
const { store, log } = openLog(dir);
afterAll(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});
const HOUR_MS = 3_600_000;
const checkpoint = { origin: log.origin, size: 1, root: log.root(), note: '', at: 1_780_000_000 };

function contextWith(
  url: string | null,
  cosigned: typeof checkpoint | null,
  caPath: string | null = null,
): DaemonContext {
  const uplink = { cosigned: () => cosigned };
  return {
    store,
    ids: { randomBytes: (length: number) => Buffer.alloc(length, 7) },
    config: { timestamp_url: url, timestamp_ca_path: caPath },
    state: { enrolled: { identity: log, uplink, evidence: log }, timestamped: null },
  } as unknown as DaemonContext;
}

describe('the stage that asks for a timestamp', () => {
  it('does nothing where no authority is set, and waits for the first cosigned checkpoint', async () => {
    expect(timestampStage(contextWith(null, checkpoint)).wanted()).toBe(false);
    const stage = timestampStage(contextWith('http://127.0.0.1:9/', null));
    expect(stage.wanted()).toBe(true);
    expect(await stage.run(new AbortController().signal, 'run')).toEqual({ nextInMs: 30_000 });
  });

  it('fails with one code where nobody answers, and is due again within the hour, however often that was', async () => {
    const stage = timestampStage(contextWith('http://127.0.0.1:9/', checkpoint));
    const error = await expectCodeAsync(() => stage.run(new AbortController().signal, 'run'), 'timestamp_refused');
    expect(store.timestamps.latest(log.origin)).toBeNull();
    const timing = {
      nowMs: 0,
      intervalMs: stage.intervalMs(),
      longestPauseMs: stage.longestPauseMs(),
      jittered: false,
      random: 0.5,
    };
    let state = firstState(0);
    for (let n = 0; n < 50; n += 1) state = afterFailure(state, { code: error.code, sentence: error.message }, timing);
    expect(state.dueMs).toBe(HOUR_MS);
  });

  it('names the file of the authorities where it is not there or holds no certificate, also when nothing is to be asked', async () => {
    const empty = join(dir, 'empty.pem');
    writeFileSync(empty, 'no certificate');
    for (const [path, code] of [
      [join(dir, 'missing.pem'), 'file_missing'],
      [empty, 'timestamp_invalid'],
    ] as const) {
      const context = contextWith('http://127.0.0.1:9/', { ...checkpoint, size: 0 }, path);
      const run = () => timestampStage(context).run(new AbortController().signal, 'run');
      expect((await expectCodeAsync(run, code)).place).toBe(path);
    }
  });

  it('does not ask again within a day, nor for a checkpoint that was stamped', async () => {
    store.timestamps.save({ ...checkpoint, response: Buffer.from('x'), at: checkpoint.at });
    const later = { ...checkpoint, size: 2, at: checkpoint.at + 86_399 };
    for (const one of [checkpoint, later]) {
      const stage = timestampStage(contextWith('http://127.0.0.1:9/', one));
      expect(await stage.run(new AbortController().signal, 'run')).toBeUndefined();
    }
    const due = timestampStage(contextWith('http://127.0.0.1:9/', { ...later, at: later.at + 1 }));
    await expectCodeAsync(() => due.run(new AbortController().signal, 'run'), 'timestamp_refused');
  });

  it('goes on asking after an answer that says a time far ahead', async () => {
    const year9999 = 253_370_764_800;
    store.timestamps.save({ ...checkpoint, size: 3, response: Buffer.from('x'), at: year9999 });
    const next = timestampStage(
      contextWith('http://127.0.0.1:9/', { ...checkpoint, size: 4, at: checkpoint.at + 90_000 }),
    );
    await expectCodeAsync(() => next.run(new AbortController().signal, 'run'), 'timestamp_refused');
  });
});
