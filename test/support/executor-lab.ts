// An executor over a real store and log and machines in memory. For tests only.
import { createRecorder } from '../../agent/evidence/recorder.ts';
import type { PredicateOf } from '../../agent/wire/schemas/entry.ts';
import type { Finding } from '../../agent/wire/schemas/finding.ts';
import { defaultParams } from '../../agent/execution/runbook.ts';
import { identifyingRunner } from '../../agent/execution/identifying-runner.ts';
import { createKnownMachines } from '../../agent/execution/known-machines.ts';
import { runRunbook } from '../../agent/execution/run-runbook.ts';
import type { Circumstances, ExecutorDeps, RunRequest, RunResult } from '../../agent/execution/run-request.ts';
import { createTargetLocks } from '../../agent/execution/target-locks.ts';
import type { Target } from '../../agent/targets/target.ts';
import { simulatedSite, type SimulatedMachine, type SimulatedSite } from '../lab/simulated-site.ts';
import { openLog, statementsOf, type OpenLog } from './evidence-fixtures.ts';
import { fakeIds } from './fakes/fake-ids.ts';
import type { FakeClock } from './fakes/fake-clock.ts';
import { memoryLog } from './fakes/memory-log.ts';
import { loadedRunbook, TEST_CHECK, testTarget } from './runbook-fixtures.ts';
import { NOW } from './trust-fixtures.ts';

export interface ExecutorLab extends OpenLog {
  readonly site: SimulatedSite;
  readonly deps: ExecutorDeps;
  readonly findings: Finding[];
  /** Changes what the executor is told of this moment. */
  circumstances: Circumstances;
  /** Ends with time moved on for whatever sleeps meanwhile. */
  run(changes?: Partial<RunRequest>, signal?: AbortSignal): Promise<RunResult>;
  /** The `action` entries so far. */
  actions(): PredicateOf<'action'>[];
  /** Phases that ran, in order. */
  phases(): string[];
}

/** `dir`: an empty or earlier one; the caller closes the store. */
export function executorLab(
  dir: string,
  machines: Record<string, SimulatedMachine>,
  o: { readonly clock?: FakeClock; readonly targets?: readonly Target[] } = {},
): ExecutorLab {
  const open = openLog(dir, o.clock);
  const site = simulatedSite(machines);
  const findings: Finding[] = [];
  const recorder = createRecorder({ store: open.store, log: open.log, clock: open.clock });
  const targets = o.targets ?? Object.keys(machines).map((id) => testTarget(id));
  const known = createKnownMachines({ store: open.store, clock: open.clock, log: memoryLog() });
  const deps: ExecutorDeps = {
    store: open.store,
    evidence: open.log,
    runner: identifyingRunner(site, known),
    machines: known,
    targets: {
      lease(id) {
        const target = targets.find((one) => one.id === id);
        return target === undefined ? null : { target, release: () => undefined };
      },
    },
    locks: createTargetLocks(),
    clock: open.clock,
    ids: fakeIds(7, open.clock),
    log: memoryLog(),
    circumstances: () => lab.circumstances,
    waivers: () => [],
    recordFindings(given) {
      findings.push(...given);
      recorder.recordFindings(given);
    },
  };
  const lab: ExecutorLab = {
    ...open,
    site,
    deps,
    findings,
    circumstances: { listedClass: 'routine', windowOpen: true, clockSound: true, healingPaused: false, nowT: NOW },
    async run(changes = {}, signal = new AbortController().signal) {
      const loaded = changes.loaded ?? loadedRunbook();
      const running = runRunbook(
        {
          loaded,
          check: TEST_CHECK,
          targetId: 'srv-1',
          action: 'remediate',
          dryRun: false,
          params: defaultParams(loaded.runbook),
          pinnedIdentity: null,
          windowOverridden: false,
          link: {},
          ...changes,
        },
        deps,
        signal,
      );
      let isOver = false;
      const over = running.finally(() => (isOver = true)).catch(() => undefined);
      while (!isOver) {
        if (open.clock.sleeping > 0) await open.clock.advance(60_000);
        await Promise.race([over, new Promise(setImmediate)]);
      }
      return running;
    },
    actions: () =>
      statementsOf(open.store).flatMap(({ predicate }) => (predicate.kind === 'action' ? [predicate] : [])),
    phases: () => site.runs.map(({ phase }) => phase),
  };
  return lab;
}
