// Order kind `restart_agent`: ends this process in good order. The next start is the result, or the deadline.
import type { OrderHandler } from '../../orders/order-handler.ts';
import type { DaemonContext } from '../context.ts';

/** Stop (10 s) + the service manager's pause + start, generously. */
const BACK_WITHIN_S = 120;

export function restartAgentHandler(context: DaemonContext): OrderHandler {
  return {
    kind: 'restart_agent',
    does: 'work',
    deadlineMs: 10_000,
    act() {
      context.requestRestart('restart ordered');
      return Promise.resolve({
        kind: 'handed_over',
        sentence: 'The agent ends; the service manager starts it again.',
        expected: 'new process',
        withinS: BACK_WITHIN_S,
      });
    },
    verify: () => ({ new_process: false }),
  };
}
