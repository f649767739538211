import { describe, expect, it } from 'vitest';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import { createCycle } from '../../../agent/daemon/cycle.ts';
import type { Stage, StageName } from '../../../agent/daemon/stage.ts';
import { fakeClock } from '../../support/fakes/fake-clock.ts';
import { fakeIds } from '../../support/fakes/fake-ids.ts';
import { fakeTicker } from '../../support/fakes/fake-ticker.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';

const stage = (name: StageName, run: Stage['run'], over: Partial<Stage> = {}): Stage => ({
  name,
  wanted: () => true,
  intervalMs: () => 10_000,
  jittered: false,
  deadlineMs: 5_000,
  longestPauseMs: () => 60_000,
  run,
  ...over,
});

function site(stages: readonly Stage[]) {
  const clock = fakeClock();
  const ticker = fakeTicker();
  const log = memoryLog();
  const runs: string[] = [];
  const cycle = createCycle(stages, {
    clock,
    ids: fakeIds(1),
    ticker,
    log,
    afterRun: (name, error) => void runs.push(error === null ? name : `${name}:${error.code}`),
  });
  const seconds = async (n: number): Promise<void> => {
    for (let i = 0; i < n; i += 1) {
      await clock.advance(1_000);
      ticker.tick();
      await new Promise(setImmediate);
    }
  };
  return { clock, ticker, log, cycle, runs, seconds };
}

/** CPU of this process, in one go. */
function burn(ms: number): Promise<void> {
  const begin = process.cpuUsage();
  while (process.cpuUsage(begin).user + process.cpuUsage(begin).system < ms * 1_000) Math.sqrt(ms);
  return Promise.resolve();
}

const never = (): Promise<void> => new Promise(() => undefined);
const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });

describe('the cycle', () => {
  it('blames a stage for what it used itself, also where others begin at the same moment', async () => {
    const { cycle, seconds } = site([
      stage('control', () => Promise.resolve()),
      stage('checks', () => burn(200)),
      stage('upload', () => Promise.resolve()),
    ]);
    cycle.start();
    await seconds(1);
    const cpuMs = new Map(cycle.statuses().map(({ name, cpu_ms: ms }) => [name, ms]));
    expect(cpuMs.get('checks')).toBeGreaterThanOrEqual(200);
    for (const other of ['control', 'upload'] as const) expect(cpuMs.get(other)).toBeLessThan(100);
  });

  it('a stage that hangs for ever stops no other stage, and is said to overrun once', async () => {
    let upload = 0;
    const { cycle, seconds, log } = site([
      stage('checks', never),
      stage('upload', () => Promise.resolve(void (upload += 1))),
    ]);
    cycle.start();
    await seconds(60);
    expect(upload).toBeGreaterThanOrEqual(6);
    expect(log.phrases().filter((phrase) => phrase === 'stage overran its deadline')).toHaveLength(1);
    expect(cycle.statuses().find((s) => s.name === 'checks')).toMatchObject({
      running: true,
      last_error: { code: 'stage_overrun' },
    });
  });

  it('a stage that throws, of whatever kind, stops no other stage and is tried again', async () => {
    let tries = 0;
    const { cycle, seconds, runs } = site([
      stage('checkin', () => {
        tries += 1;
        throw tries === 1 ? new AgentError('internal', 'first') : new TypeError('second');
      }),
      stage('checks', () => Promise.resolve()),
    ]);
    cycle.start();
    await seconds(25);
    expect(tries).toBeGreaterThanOrEqual(2);
    expect(runs.filter((run) => run === 'checkin:internal')).toHaveLength(tries);
    expect(runs.filter((run) => run === 'checks').length).toBeGreaterThanOrEqual(2);
  });

  it('a run is aborted at its deadline and counts as a failure with the code stage_overrun', async () => {
    const { cycle, seconds, runs } = site([stage('checkin', (signal) => untilAborted(signal))]);
    cycle.start();
    await seconds(6);
    expect(runs).toEqual(['checkin:stage_overrun']);
  });

  it('a stage never runs twice at the same time, however often it is triggered', async () => {
    let now = 0;
    let most = 0;
    const { cycle, seconds } = site([
      stage('orders', async (signal) => {
        now += 1;
        most = Math.max(most, now);
        await untilAborted(signal).catch(() => undefined);
        now -= 1;
      }),
    ]);
    cycle.start();
    for (let i = 0; i < 20; i += 1) {
      cycle.trigger('orders');
      await seconds(1);
    }
    expect(most).toBe(1);
  });

  it('a trigger during a run makes the stage run once more right after it', async () => {
    let runs = 0;
    let finish = (): void => undefined;
    const { cycle, seconds } = site([
      stage(
        'orders',
        () => {
          runs += 1;
          return new Promise<void>((resolve) => (finish = resolve));
        },
        { deadlineMs: 60_000 },
      ),
    ]);
    cycle.start();
    await seconds(1);
    cycle.trigger('orders');
    finish();
    await seconds(2);
    expect(runs).toBe(2);
  });

  it('a stage that is not wanted is not started', async () => {
    const { cycle, seconds, runs } = site([stage('checkin', () => Promise.resolve(), { wanted: () => false })]);
    cycle.start();
    await seconds(30);
    expect(runs).toEqual([]);
  });

  it('stopping aborts what runs, waits for it, and starts nothing more', async () => {
    const { cycle, seconds, runs, ticker } = site([stage('checkin', (signal) => untilAborted(signal))]);
    cycle.start();
    await seconds(1);
    expect(await cycle.stop(8_000)).toBe(true);
    expect(runs).toEqual(['checkin:shutting_down']);
    ticker.tick();
    await seconds(60);
    expect(runs).toHaveLength(1);
    expect(ticker.running).toBe(0);
  });

  it('stopping does not wait longer than it may for a stage that ignores its abort', async () => {
    const { cycle, seconds, clock } = site([stage('checkin', never)]);
    cycle.start();
    await seconds(1);
    const stopped = cycle.stop(8_000);
    await clock.advance(8_000);
    expect(await stopped).toBe(false);
  });
});
