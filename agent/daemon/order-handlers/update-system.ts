// Order kind `update_system`: root's helper verifies the order and has the system switched. It is done once the new version runs and
// root's switch says that it stays; the process that began it does not live to see that.
import { CODES } from '../../errors/codes.ts';
import { paramsOf } from '../../guards/order-params.ts';
import type { ActOutcome, LookedAfter, OrderHandler, OrderResult } from '../../orders/order-handler.ts';
import type { DeclaredSystem } from '../../wire/schemas/declared-system.ts';
import { runningSystem } from '../../helpers/system-tools.ts';
import type { DaemonContext } from '../context.ts';
import { updateEnd, type UpdateEnd } from '../update-end.ts';
import { byHelper, codeOf, notStarted } from './by-helper.ts';

/** Pull, switch, gate and way back take at most about an hour. */
const ENDED_WITHIN_S = 90 * 60;
const ASK_MS = 60_000;

export function updateSystemHandler(context: DaemonContext): OrderHandler {
  const { folders, build } = context;
  return {
    kind: 'update_system',
    does: 'work',
    deadlineMs: ASK_MS,
    async act(order, signal, { digest }) {
      const answer = await byHelper('apply-update', digest, context, signal);
      switch (answer.answer) {
        case 'refused':
        case 'absent':
        case 'silent':
          return notStarted(answer);
        case 'unchanged':
          return {
            kind: 'done',
            sentence: 'That system runs already, and is the one that starts.',
            result: { as_declared: runningSystem() === paramsOf('update_system', order).closure },
          };
        case 'done':
        case 'started':
          return {
            kind: 'handed_over',
            sentence: 'The update was verified and is under way.',
            expected: 'the new version reports',
            withinS: ENDED_WITHIN_S,
            ...(answer.run === null ? {} : { run: answer.run }),
          };
      }
    },
    verify: (order) => ({ as_declared: runningSystem() === paramsOf('update_system', order).closure }),
    lookAfter: (order, seen) =>
      judgeUpdate(paramsOf('update_system', order), seen, {
        running: runningSystem(),
        version: build.version,
        end: folders === null ? null : updateEnd(folders, seen.left.run ?? ''),
      }),
  };
}

export interface UpdateSeen {
  /** Where /run/current-system points. */
  readonly running: string | null;
  /** Of this very process. */
  readonly version: string;
  /** What root's switch said of it. */
  readonly end: UpdateEnd | null;
}

/** Pure. The order is done only where root's switch says that the new system stays, and it is the new version that reads this. */
export function judgeUpdate(system: DeclaredSystem, seen: LookedAfter, now: UpdateSeen): ActOutcome | null {
  const { end } = now;
  const isRunning = now.running === system.closure && now.version === system.agent_version;
  const result: OrderResult = {
    as_declared: isRunning,
    same_boot: seen.isSameBoot,
    new_process: seen.isNewProcess,
    within_deadline: !seen.isLate,
    ...(end?.central === undefined ? {} : { central: end.central }),
    ...(end?.why === undefined ? {} : { why: end.why }),
  };
  if (end?.update === 'done' && isRunning) {
    return { kind: 'done', sentence: 'The new system is healthy, and is the one that starts.', result };
  }
  if (end !== null && end.update !== 'done') {
    const code = codeOf(end.code);
    const sentence = CODES[code].when;
    if (end.update === 'reverted') return { kind: 'ended', outcome: 'reverted', code, sentence, result };
    return { kind: 'failed', code, sentence, result };
  }
  if (!seen.isLate) return null;
  return { kind: 'failed', code: 'update_not_seen', sentence: CODES.update_not_seen.when, result };
}
