// Scheduled looks: detect on every target whose time has come, a few at once. A target that hangs holds up itself, and most of
// them dark at once is one finding.
import type { WindowsCheck } from '../checks/windows/windows-check.ts';
import { isAgentError } from '../errors/agent-error.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { ExecutorDeps, WindowsLoaded } from './run-request.ts';
import { defaultParams } from './runbook.ts';
import { notSeen, TargetVisit, type ReasonedLook } from './target-visit.ts';
import { windowsFinding } from './windows-finding.ts';
import type { Reach } from './reach.ts';

/** Targets that are looked at at the same time: the appliance is small, and so are some of the networks. */
export const MAX_AT_ONCE = 4;
/** All looks at one target together, waiting for whoever is at work there included. */
export const TARGET_DEADLINE_MS = 10 * 60_000;

export interface Book {
  readonly loaded: WindowsLoaded;
  readonly check: WindowsCheck;
}

export interface TargetRound {
  readonly target: { readonly id: string; readonly role: string };
  readonly books: readonly Book[];
}

export interface LookAroundDeps extends ExecutorDeps {
  /** The most targets at once, where it is not {@link MAX_AT_ONCE}. */
  readonly atOnce?: number;
  readonly targetDeadlineMs?: number;
  /** Told as soon as it is known, once for each target of the round. */
  readonly onTarget: (targetId: string, reach: Reach, findings: readonly Finding[]) => void;
}

/** Looks at all of them. Rejects with the signal's reason and with defects; what targets do never ends it. */
export async function lookAround(
  rounds: readonly TargetRound[],
  deps: LookAroundDeps,
  signal: AbortSignal,
): Promise<void> {
  const waiting = [...rounds];
  const worker = async (): Promise<void> => {
    for (let round = waiting.shift(); round !== undefined; round = waiting.shift()) {
      signal.throwIfAborted();
      const { reach, findings } = await lookAtTarget(round, deps, signal);
      deps.onTarget(round.target.id, reach, findings);
    }
  };
  await Promise.all(Array.from({ length: deps.atOnce ?? MAX_AT_ONCE }, worker));
}

const nowS = (deps: Pick<ExecutorDeps, 'clock'>): number => Math.floor(deps.clock.wallMs() / 1_000);

async function lookAtTarget(
  { target, books }: TargetRound,
  deps: LookAroundDeps,
  signal: AbortSignal,
): Promise<{ reach: Reach; findings: Finding[] }> {
  const deadline = AbortSignal.timeout(deps.targetDeadlineMs ?? TARGET_DEADLINE_MS);
  const both = AbortSignal.any([signal, deadline]);
  let reach: Reach = 'answered';
  const findings: Finding[] = [];
  const visit = new TargetVisit(target.id, deps, both);
  try {
    for (const book of books) {
      const from = nowS(deps);
      const look: ReasonedLook = reach === 'answered' ? await orTimeout(visit.look(book.loaded), signal) : away(reach);
      if (!look.seen && (look.reason === 'unreachable' || look.reason === 'unauthorised')) reach = look.reason;
      const params = defaultParams(book.loaded.runbook);
      findings.push(windowsFinding(look, { ...book, target, params, waivers: deps.waivers(), from, to: nowS(deps) }));
    }
    return { reach, findings };
  } finally {
    await visit.leave();
  }
}

/** Whoever does not answer one look is not asked for the next one in the same round. */
const away = (reach: Exclude<Reach, 'answered'>): ReasonedLook =>
  reach === 'unreachable'
    ? notSeen('unreachable', 'the target did not answer another look of this round')
    : notSeen('unauthorised', 'the target did not take the credentials in another look of this round');

/** The target's own deadline is a finding, not an error; the caller's signal is not swallowed. */
async function orTimeout(look: Promise<ReasonedLook>, signal: AbortSignal): Promise<ReasonedLook> {
  try {
    return await look;
  } catch (error) {
    signal.throwIfAborted();
    if (isAgentError(error)) throw error;
    if (error instanceof DOMException && error.name === 'TimeoutError') {
      return notSeen('timeout', 'the looks at this target were not done within their time');
    }
    throw error;
  }
}
