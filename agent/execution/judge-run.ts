// May this runbook change this target now? Asked right before each change, whoever asked for it. Pure.
import type { ErrorCode } from '../errors/codes.ts';
import type { WindowsRole } from '../checks/windows/windows-check.ts';
import type { RunRow } from '../store/open-store.ts';
import { compareClasses } from '../trust/order-class.ts';
import type { ActionOutcome, OrderClass, PlainJson } from '../wire/schemas/primitives.ts';
import { classOfRunbook, type Precondition, type Runbook, type WindowsRunbook } from './runbook.ts';

/** Changes of one target by one runbook within a day: what needs more is being undone by something. */
export const MAX_RUNS_PER_DAY = 6;
export const DAY_S = 86_400;

/** How a run ends before anything was changed. */
export interface Stopped {
  readonly outcome: ActionOutcome;
  readonly code: ErrorCode;
  readonly sentence: string;
}

export interface RunCircumstances {
  readonly runbook: Runbook;
  /** Class of the runbook in the content list in force; null where it is not listed. */
  readonly listedClass: OrderClass | null;
  /** True where the order may leave the window aside, as authorised. */
  readonly windowOverridden: boolean;
  readonly windowOpen: boolean;
  readonly clockSound: boolean;
  /** By order or by hand, since it was accepted or judged: a run may wait an hour for its target. */
  readonly healingPaused: boolean;
  /** Time T, Unix seconds. */
  readonly nowT: number;
  /** Changes of this target by this runbook within the last day, newest first. */
  readonly recent: readonly Pick<RunRow, 'at' | 'state'>[];
  /** An interrupted change of this target, by any runbook, waits for a look. */
  readonly interruptedOpen: boolean;
}

/** The runbook is in the content list in force, with no lower class than it has. Asked before anything runs on a target. */
export function judgeListing({
  runbook,
  listedClass,
}: Pick<RunCircumstances, 'runbook' | 'listedClass'>): Stopped | null {
  if (listedClass === null) return rejected('runbook_unknown', 'the content list in force does not name this runbook');
  if (compareClasses(listedClass, classOfRunbook(runbook)) < 0) {
    return rejected('runbook_class_differs', `the runbook is ${classOfRunbook(runbook)} and listed as ${listedClass}`);
  }
  return null;
}

/** Null where it may. A cool-down counts from the begin of the last change. */
export function judgeRun(o: RunCircumstances): Stopped | null {
  const { runbook } = o;
  const unlisted = judgeListing(o);
  if (unlisted !== null) return unlisted;
  if (o.healingPaused) return deferred('order_healing_paused', 'healing is paused');
  if (runbook.disruptive && !o.clockSound) return deferred('runbook_clock_unsound', 'the clock is unsound');
  if (runbook.window === 'maintenance' && !o.windowOpen && !o.windowOverridden) {
    return deferred('runbook_window_closed', 'the maintenance window is closed');
  }
  if (o.interruptedOpen) {
    return deferred('runbook_interrupted_open', 'an interrupted change of this target was not looked at yet');
  }
  const last = o.recent[0];
  if (last !== undefined && o.nowT - last.at < runbook.cooldown_s) {
    return deferred(
      'runbook_cooling_down',
      `the last change was ${o.nowT - last.at} s ago, the pause is ${runbook.cooldown_s} s`,
    );
  }
  if (o.recent.length >= MAX_RUNS_PER_DAY) {
    return deferred('runbook_runs_used', `this runbook changed the target ${o.recent.length} times within a day`);
  }
  return null;
}

/** What detect's own facts forbid: another kind of machine, or a precondition that does not hold. */
export function judgeFacts(
  runbook: WindowsRunbook,
  facts: Readonly<Record<string, PlainJson>>,
  declared: WindowsRole | null,
): Stopped | null {
  // Who says another role than the list declares is held to both: a domain controller that calls itself a member is none.
  const roles = [at(facts, 'host.role'), declared].filter((role) => typeof role === 'string');
  if (roles.some((role) => !runbook.applies_if.role.some((one) => one === role))) {
    return rejected('runbook_not_applicable', 'the runbook is not for a machine of this role');
  }
  const build = at(facts, 'host.build');
  const { min, max } = runbook.applies_if.os_build;
  if (typeof build === 'number' && (build < min || (max !== undefined && build > max))) {
    return rejected('runbook_not_applicable', `the runbook is not for the build ${build}`);
  }
  return judgePreconditions(runbook, facts);
}

/** The first precondition that does not hold, as the end of the run. */
export function judgePreconditions(
  { preconditions }: Pick<Runbook, 'preconditions'>,
  facts: Readonly<Record<string, PlainJson>>,
): Stopped | null {
  const failing = preconditions.find((one) => !holds(one, facts));
  if (failing === undefined) return null;
  return {
    outcome: 'alert',
    code: 'runbook_precondition',
    sentence: `the precondition on ${failing.fact.split('.').at(-1)} does not hold`,
  };
}

/** A fact that is missing holds nothing. */
export function holds({ fact, is }: Omit<Precondition, 'why'>, facts: Readonly<Record<string, PlainJson>>): boolean {
  return at(facts, fact) === is;
}

function at(facts: Readonly<Record<string, PlainJson>>, path: string): PlainJson | undefined {
  let value: PlainJson | undefined = facts;
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, key))
      return undefined;
    value = value[key];
  }
  return value;
}

const rejected = (code: ErrorCode, sentence: string): Stopped => ({ outcome: 'rejected', code, sentence });
const deferred = (code: ErrorCode, sentence: string): Stopped => ({ outcome: 'deferred', code, sentence });
