// The executor of appliance runbooks over a real store and log, the real checks and the shipped runbooks; the machine and its
// privileged helpers are in memory. For tests only.
import { join } from 'node:path';
import { CHECKS } from '../../agent/checks/registry.ts';
import { judgeAll } from '../../agent/checks/judge-all.ts';
import { createRecorder } from '../../agent/evidence/recorder.ts';
import {
  isForAppliance,
  type ApplianceDeps,
  type ApplianceLoaded,
  type ApplianceRequest,
  type HelperAnswer,
  type HelperRequest,
} from '../../agent/execution/appliance/appliance-run.ts';
import { runApplianceRunbook } from '../../agent/execution/appliance/run-appliance-runbook.ts';
import { loadRunbook } from '../../agent/execution/load-runbook.ts';
import type { Circumstances, RunResult } from '../../agent/execution/run-request.ts';
import type { RunbookVerb } from '../../agent/execution/runbook.ts';
import { createTargetLocks } from '../../agent/execution/target-locks.ts';
import type { Fact } from '../../agent/facts/probe.ts';
import type { FactValues } from '../../agent/facts/probes.ts';
import type { PredicateOf } from '../../agent/wire/schemas/entry.ts';
import type { Finding } from '../../agent/wire/schemas/finding.ts';
import { baseline, controlMaps, HEALTHY, RUNBOOKS } from '../unit/checks/sample-facts.ts';
import { openLog, statementsOf, verdictOn, withDir, type OpenLog } from './evidence-fixtures.ts';
import type { FakeClock } from './fakes/fake-clock.ts';
import { fakeIds } from './fakes/fake-ids.ts';
import { memoryLog } from './fakes/memory-log.ts';
import { NOW } from './trust-fixtures.ts';

/** As it lies in the package. */
export function shippedRunbook(id: string): ApplianceLoaded {
  const loaded = loadRunbook(join(RUNBOOKS, 'appliance', id), []);
  if (!isForAppliance(loaded)) throw new Error(`${id} is not for the appliance`);
  return loaded;
}

/** What a helper was asked, in short. */
export type Asked = readonly [verb: RunbookVerb, step: HelperRequest['step'], what: string];

export interface ApplianceLab extends OpenLog {
  readonly deps: ApplianceDeps;
  readonly findings: Finding[];
  readonly asked: Asked[];
  /** What probes read; tests and helpers change it. */
  machine: FactValues;
  /** Seconds before now at which facts were read: those of root's timer are older. */
  readAgoS: number;
  /** Called before each look. */
  onLook: () => void;
  /** Seconds by which the wall clock is behind signed time; below 0 where it was turned ahead. */
  wallBehindS: number;
  /** Answers as the helper; called when it was handed a request. */
  onHelper: (verb: RunbookVerb, request: HelperRequest) => HelperAnswer | Promise<HelperAnswer>;
  /** Whether what was started is at work; null: nobody knows. */
  underWay: boolean | null;
  /** Whether Central Command still answers after a change. */
  connected: boolean;
  circumstances: Circumstances;
  /** Ends with time moved on for whatever sleeps meanwhile. */
  run(id: string, changes?: Partial<ApplianceRequest>, signal?: AbortSignal): Promise<RunResult>;
  actions(): PredicateOf<'action'>[];
}

export const done = (run: string | null = null): HelperAnswer => ({ answer: 'done', run, sentence: 'done' });

/** The shipped baseline with a forwarder declared. */
const declared = baseline((text) => text.replace('forwarder: none', 'forwarder: log-forwarder.service'));

/** A sound appliance at `now` (Unix seconds). */
export function soundMachine(now = NOW): FactValues {
  return {
    ...HEALTHY,
    backup: { ...HEALTHY.backup, newestAt: now - 3_600 },
    logging: {
      ...HEALTHY.logging,
      forwarder: 'active',
      canary: { at: now - 60, outcome: 'seen', latencyMs: 20, expected: 90, missing: 0 },
    },
  };
}

/** `dir`: an empty or earlier one; the caller closes the store. */
export function applianceLab(dir: string, machine: Partial<FactValues>, clock?: FakeClock): ApplianceLab {
  const open = openLog(dir, clock);
  const recorder = createRecorder({ store: open.store, log: open.log, clock: open.clock });
  const findings: Finding[] = [];
  const asked: Asked[] = [];
  const nowS = (): number => Math.floor(open.clock.wallMs() / 1_000);

  function look(checkId: string): Finding {
    lab.onLook();
    const readAt = nowS() - lab.readAgoS;
    const facts = Object.fromEntries(
      Object.entries(lab.machine).map(([probe, value]): [string, Fact<unknown>] => [
        probe,
        { status: 'read', probe, value, readAt },
      ]),
    );
    const [finding] = judgeAll({
      checks: CHECKS.filter(({ id }) => id === checkId),
      facts,
      baseline: declared,
      controls: controlMaps(),
      waivers: [],
      now: nowS(),
      target: { id: 'appliance', role: 'appliance', os_build: null },
      baselineSigned: true,
    });
    if (finding === undefined) throw new Error(`no check ${checkId}`);
    findings.push(finding);
    recorder.recordFindings([finding]);
    return finding;
  }

  const deps: ApplianceDeps = {
    store: open.store,
    evidence: open.log,
    locks: createTargetLocks(),
    clock: open.clock,
    ids: fakeIds(7, open.clock),
    log: memoryLog(),
    circumstances: () => lab.circumstances,
    nowT: () => (lab.circumstances.nowT === null ? null : nowS() + lab.wallBehindS),
    lastFinding: (checkId) => lab.findings.findLast(({ check }) => check.id === checkId) ?? null,
    underWay: () => Promise.resolve(lab.underWay),
    async look(checkId, signal) {
      await Promise.resolve();
      signal.throwIfAborted();
      return look(checkId);
    },
    async helper(verb, request, signal) {
      asked.push([verb, request.step, request.step === 'act' ? request.arguments.join(' ') : request.run]);
      const answer = await lab.onHelper(verb, request);
      signal.throwIfAborted();
      return answer;
    },
    watchConnection: () => () => Promise.resolve(lab.connected),
  };
  const lab: ApplianceLab = {
    ...open,
    deps,
    findings,
    asked,
    machine: { ...soundMachine(nowS()), ...machine },
    readAgoS: 0,
    onLook: () => undefined,
    wallBehindS: 0,
    onHelper: () => done(),
    underWay: null,
    connected: true,
    circumstances: { listedClass: 'routine', windowOpen: true, clockSound: true, healingPaused: false, nowT: NOW },
    async run(id, changes = {}, signal = new AbortController().signal) {
      const running = runApplianceRunbook(
        {
          loaded: shippedRunbook(id),
          action: 'remediate',
          dryRun: false,
          params: {},
          windowOverridden: false,
          grounds: { kind: 'order', envelope: '{"signed":"order"}' },
          link: { order_digest: 'ab'.repeat(32) },
          ...changes,
        },
        deps,
        signal,
      );
      await untilOver(running, open.clock);
      return running;
    },
    actions: () =>
      statementsOf(open.store).flatMap(({ predicate }) => (predicate.kind === 'action' ? [predicate] : [])),
  };
  return lab;
}

/** Moves time on for whatever sleeps until `running` ends, however it ends. */
export async function untilOver(running: Promise<unknown>, clock: FakeClock): Promise<void> {
  let isOver = false;
  const over = running.finally(() => (isOver = true)).catch(() => undefined);
  while (!isOver) {
    if (clock.sleeping > 0) await clock.advance(1_000);
    await Promise.race([over, new Promise(setImmediate)]);
  }
}

/** Runs `fn` on a machine, whose log has to verify in the end. */
export async function onAppliance(
  machine: Partial<FactValues>,
  fn: (lab: ApplianceLab) => Promise<void>,
): Promise<void> {
  await withDir(async (dir) => {
    const lab = applianceLab(dir, machine);
    try {
      await fn(lab);
      if (!verdictOn(lab.store).ok) throw new Error('the log does not verify');
    } finally {
      lab.store.close();
    }
  });
}
