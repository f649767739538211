// Order kind `reboot`: root's helper verifies the order and starts the machine anew. A start in another boot is the result, or the
// deadline.
import { CODES } from '../../errors/codes.ts';
import type { ActOutcome, LookedAfter, OrderHandler } from '../../orders/order-handler.ts';
import type { DaemonContext } from '../context.ts';
import { byHelper, notStarted } from './by-helper.ts';

/** Stopping everything, the firmware, the volume's key, the start: generously. */
const BACK_WITHIN_S = 900;
/** The helper itself takes some seconds. */
const ASK_MS = 60_000;

export function rebootHandler(context: DaemonContext): OrderHandler {
  return {
    kind: 'reboot',
    does: 'work',
    deadlineMs: ASK_MS,
    async act(_order, signal, { digest }) {
      const answer = await byHelper('reboot', digest, context, signal);
      if (answer.answer === 'refused' || answer.answer === 'absent' || answer.answer === 'silent') {
        return notStarted(answer);
      }
      const sentence = 'The machine goes down to start anew.';
      return { kind: 'handed_over', sentence, expected: 'new boot', withinS: BACK_WITHIN_S };
    },
    verify: () => ({ new_boot: false }),
    lookAfter: (_order, seen) => judgeReboot(seen),
  };
}

/** Pure. Another boot is what was wanted, also one that came late: then it says so. */
export function judgeReboot({ isSameBoot, isLate }: LookedAfter): ActOutcome | null {
  const result = { new_boot: !isSameBoot, within_deadline: !isLate };
  if (!isSameBoot && !isLate) return { kind: 'done', sentence: 'The machine was started anew.', result };
  if (!isLate) return null;
  return { kind: 'failed', code: 'reboot_not_seen', sentence: CODES.reboot_not_seen.when, result };
}
