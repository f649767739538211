import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Check } from '../../../agent/checks/check.ts';
import { CHECKS } from '../../../agent/checks/registry.ts';
import { initialState, type Enrolled } from '../../../agent/daemon/agent-state.ts';
import type { DaemonContext } from '../../../agent/daemon/context.ts';
import { loadChecks } from '../../../agent/daemon/load-checks.ts';
import { PROBE_LIMITS } from '../../../agent/daemon/probe-care.ts';
import { runChecks } from '../../../agent/daemon/run-checks.ts';
import { controlStage } from '../../../agent/daemon/stages/control-stage.ts';
import { checksStage } from '../../../agent/daemon/stages/checks-stage.ts';
import { createRecorder } from '../../../agent/evidence/recorder.ts';
import type { Store } from '../../../agent/store/open-store.ts';
import { dropControl } from '../../../agent/system/status-file.ts';
import { openLog } from '../../support/evidence-fixtures.ts';
import { fakeClock } from '../../support/fakes/fake-clock.ts';
import { fakeExec, type FakeProgram } from '../../support/fakes/fake-exec.ts';
import { fakeIds } from '../../support/fakes/fake-ids.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const REPO = join(import.meta.dirname, '../../..');
const never = new AbortController().signal;
/** Judges one fact alone: what else this machine has (listening sockets) must not decide. */
const firewall: Check[] = CHECKS.filter((check) => check.id === 'firewall').map((check) => ({
  ...check,
  judge: ({ facts }) =>
    facts.firewall?.status === 'read'
      ? { result: 'pass', severity: 'info', sentence: 'the rules were read', facts: {} }
      : { result: 'unknown', severity: 'high', sentence: 'the rules could not be read', facts: {} },
}));
let dir: string;
let store: Store;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'run-checks-'));
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A daemon without its cycle: real store, log and recorder; `nft` does what `nft()` says at each call. */
function daemon(nft: () => FakeProgram) {
  const opened = openLog(dir);
  store = opened.store;
  const clock = fakeClock({ wallMs: NOW * 1_000 });
  const recorder = createRecorder({ store, log: opened.log, clock });
  const exec = fakeExec({ nft: () => nft() });
  const log = memoryLog();
  const triggered: string[] = [];
  const context = {
    clock,
    exec,
    log,
    store,
    ids: fakeIds(1, clock),
    config: { state_dir: dir, checks_interval_s: null },
    build: { version: '0.1.0', nixosRevision: null, derivationDigest: null },
    keyFiles: [],
    checks: loadChecks(join(REPO, 'runbooks'), null),
    state: { ...initialState(), enrolled: { recorder } as unknown as Enrolled },
    trigger: (name: string) => void triggered.push(name),
  } as unknown as DaemonContext;
  const alerts = (): string[] =>
    store.entries.list(1, { kind: 'alert', limit: 100 }).length === 0 ? [] : recorder.raised();
  return {
    context,
    clock,
    log,
    triggered,
    alerts,
    calls: () => exec.calls.filter(([tool]) => tool === 'nft').length,
    run: (o = { every: false }) => runChecks(firewall, context, never, o),
  };
}

describe('running checks', () => {
  it('sets a probe aside that hung twice in a row, says so once, and tries it again later; meanwhile it is unknown', async () => {
    const d = daemon(() => ({ hangs: 'until_deadline' }));
    const results: string[] = [];
    for (let i = 0; i < 4; i++) {
      results.push((await d.run()).findings[0]!.result);
      await d.clock.advance(60_000);
    }
    expect(results).toEqual(['unknown', 'unknown', 'unknown', 'unknown']);
    const tried = d.calls();
    expect(d.log.phrases().filter((phrase) => phrase === 'probe set aside')).toHaveLength(1);
    await d.run();
    expect(d.calls()).toBe(tried);
    await d.clock.advance(PROBE_LIMITS.firstPauseMs);
    await d.run();
    expect(d.calls()).toBeGreaterThan(tried);
  });

  it('tries a probe that was set aside when somebody asks for it', async () => {
    const d = daemon(() => ({ hangs: 'until_deadline' }));
    for (let i = 0; i < 3; i++) await d.run();
    const tried = d.calls();
    await d.run({ every: true });
    expect(d.calls()).toBeGreaterThan(tried);
  });

  it('does not set a probe aside whose tool is missing: it says so at every run', async () => {
    const d = daemon(() => ({ status: 'not_found' }));
    for (let i = 0; i < 5; i++) await d.run();
    expect(d.calls()).toBeGreaterThanOrEqual(5);
    expect(d.log.phrases()).not.toContain('probe set aside');
  });

  it('records one alert for a check that was unknown for a day, and clears it when it is known', async () => {
    let broken = true;
    const d = daemon(() => (broken ? { status: 'not_found' } : { stdout: '{"nftables":[]}' }));
    await d.run();
    await d.clock.advance(86_399_000);
    await d.run();
    expect(d.alerts()).toEqual([]);
    await d.clock.advance(1_000);
    await d.run();
    await d.run();
    expect(d.alerts()).toEqual(['check_unknown_long']);
    expect(store.entries.list(1, { kind: 'alert', limit: 100 })).toHaveLength(1);
    broken = false;
    const { findings } = await d.run();
    expect(findings[0]?.result).toBe('pass');
    expect(store.entries.list(1, { kind: 'alert', limit: 100 })).toHaveLength(2);
    expect(d.alerts()).toEqual([]);
  });

  it('runs every check for check_now, whether it is due or not, and only the due ones otherwise', async () => {
    const d = daemon(() => ({ status: 'not_found' }));
    const checks = checksStage(d.context);
    const control = controlStage(d.context);
    const readAt = (): number[] => [...d.context.state.findings.values()].map((one) => one.facts_read_at);
    await checks.run(never, 'run');
    expect(readAt()).toHaveLength(CHECKS.length);
    await d.clock.advance(10_000);
    await checks.run(never, 'run');
    expect(new Set(readAt())).toEqual(new Set([NOW]));
    dropControl(dir, 'check_now', 'x');
    await control.run(never, 'run');
    expect(d.triggered).toEqual(['checks']);
    await checks.run(never, 'run');
    expect(new Set(readAt())).toEqual(new Set([NOW + 10]));
    await d.clock.advance(10_000);
    await checks.run(never, 'run');
    expect(new Set(readAt())).toEqual(new Set([NOW + 10]));
  });

  it('runs every check at the next run after check_now fell into one that failed', async () => {
    const d = daemon(() => ({ status: 'not_found' }));
    const checks = checksStage(d.context);
    await checks.run(never, 'run');
    d.context.state.care.checksAsked += 1;
    await d.clock.advance(1_000);
    await expect(checks.run(AbortSignal.abort(new Error('deadline')), 'run')).rejects.toThrow('deadline');
    await checks.run(never, 'run');
    const readAt = [...d.context.state.findings.values()].map((one) => one.facts_read_at);
    expect(new Set(readAt)).toEqual(new Set([NOW + 1]));
  });
});
