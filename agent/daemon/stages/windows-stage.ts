// Looks at Windows targets whose time has come.
import { unseen } from '../../checks/windows/windows-check.ts';
import { lookAround, type TargetRound } from '../../execution/look-around.ts';
import { isDark, reachFinding } from '../../execution/reach.ts';
import type { Finding } from '../../wire/schemas/finding.ts';
import type { Enrolled } from '../agent-state.ts';
import { nowSeconds, type DaemonContext } from '../context.ts';
import { applianceTarget } from '../run-checks.ts';
import type { Stage } from '../stage.ts';
import { executorDeps, listedBooks, noteFindings } from '../windows.ts';
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

/** Looks, records what is seen as it comes, and says once what most of them have in common. */
export async function lookAtAll(
  rounds: readonly TargetRound[],
  enrolled: Enrolled,
  context: DaemonContext,
  runId: string,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { reach } = context.windows;
  const all: Finding[] = [];
  const away: Finding[] = [];
  await lookAround(
    rounds,
    {
      ...executorDeps(enrolled, context, runId, 'windows'),
      onTarget: (targetId, met, findings) => {
        reach.set(targetId, met);
        all.push(...findings);
        if (met === 'unreachable') away.push(...findings);
        else noteFindings(findings, enrolled, context);
      },
    },
    signal,
  );
  const known = new Set(context.targets.list().map(({ id }) => id));
  for (const id of reach.keys()) if (!known.has(id)) reach.delete(id);
  const reaches = [...reach.values()];
  if (isDark(reaches)) showDark(away, context);
  else noteFindings(away, enrolled, context);
  const { id, version, sha256 } = context.checks.baseline;
  const o = { now: nowSeconds(context.clock), target: applianceTarget(context), baseline: { id, version, sha256 } };
  noteFindings([reachFinding(reaches, o)], enrolled, context);
  return all;
}

/** Nothing is a pass while it cannot be seen; in the log the one finding of the network stands for all of these. */
function showDark(away: readonly Finding[], { state }: DaemonContext): void {
  const { sentence, facts } = unseen('subnet_dark', 'most Windows targets cannot be reached, this one among them');
  for (const finding of away) {
    const shown: Finding = { ...finding, sentence, facts: { ...facts } };
    state.findings.set(`${finding.target.id}/${finding.check.id}`, shown);
  }
}
