// Looks at Windows targets whose time has come.
import type { TargetRound } from '../../execution/look-around.ts';
import type { Enrolled } from '../agent-state.ts';
import type { DaemonContext } from '../context.ts';
import { lookAtAll } from '../look-at-targets.ts';
import type { Stage } from '../stage.ts';
import { listedBooks } from '../windows-work.ts';
import { expectedTargets, rememberTargets, scopeOf } from '../windows-scope.ts';

/** How often it is looked whether a target is due. */
const LOOK_MS = 5_000;
/** 25 targets, four at once, each with the longest time that it has. */
const DEADLINE_MS = 75 * 60_000;

export function windowsStage(context: DaemonContext): Stage {
  /** Monotonic milliseconds of the last look, by target and check. */
  const lastLook = new Map<string, number>();
  const { config, state, targets, clock } = context;
  return {
    name: 'windows',
    wanted: () => state.enrolled !== null && context.windows.books.length > 0,
    intervalMs: () => Math.min(LOOK_MS, (config.checks_interval_s ?? LOOK_MS) * 1_000),
    jittered: false,
    deadlineMs: DEADLINE_MS,
    longestPauseMs: () => 60_000,
    async run(signal, runId) {
      const { enrolled } = state;
      if (enrolled === null) return;
      keepScope(enrolled, context);
      const rounds = dueRounds(enrolled, context, lastLook);
      if (rounds.length === 0) return;
      await lookAtAll(rounds, enrolled, context, runId, signal);
      const startedMs = clock.monoMs();
      for (const { target, books } of rounds) {
        for (const { check } of books) lastLook.set(`${target.id}/${check.id}`, startedMs);
      }
      const known = new Set(targets.list().map(({ id }) => id));
      for (const key of lastLook.keys()) if (!known.has(key.split('/')[0] ?? '')) lastLook.delete(key);
    },
  };
}

function keepScope(enrolled: Enrolled, { store, targets, windows, config }: DaemonContext): void {
  rememberTargets(
    store,
    targets.list().map(({ id }) => id),
  );
  enrolled.recorder.setScope(
    scopeOf(expectedTargets(store), listedBooks(windows, enrolled.trust), config.checks_interval_s),
  );
}

function dueRounds(enrolled: Enrolled, context: DaemonContext, lastLook: ReadonlyMap<string, number>): TargetRound[] {
  const nowMs = context.clock.monoMs();
  const everyS = context.config.checks_interval_s;
  const books = listedBooks(context.windows, enrolled.trust);
  return context.targets.list().flatMap(({ id, role }): TargetRound[] => {
    const due = books.filter(({ check }) => {
      const last = lastLook.get(`${id}/${check.id}`);
      return last === undefined || nowMs - last >= (everyS ?? check.cadenceS) * 1_000;
    });
    return due.length === 0 ? [] : [{ target: { id, role }, books: due }];
  });
}
