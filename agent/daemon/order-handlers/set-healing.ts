// Order kind `set_healing`, action `pause`: no healing until a time. Enabling needs two people and belongs to healing.
import { paramsOf } from '../../guards/order-params.ts';
import type { OrderHandler } from '../../orders/order-handler.ts';
import { timeT } from '../../trust/signed-time.ts';
import type { DaemonContext } from '../context.ts';
import { healingPausedUntil, pauseHealing, UNTIL_LIFTED } from '../healing-pause.ts';

export function setHealingHandler(context: DaemonContext): OrderHandler {
  const { store, clock } = context;
  return {
    kind: 'set_healing',
    does: 'store_change',
    act(order) {
      const nowT = timeT(store.trust.signedTime(), clock.bootMs(), clock.bootId());
      const params = paramsOf('set_healing', order);
      if (params.action !== 'pause' || nowT === null) {
        const sentence = 'Only a pause, counted from a known signed time, can be set.';
        return { kind: 'failed', code: 'order_handler_failed', sentence, result: {} };
      }
      const asked = params.minutes === undefined ? UNTIL_LIFTED : nowT + params.minutes * 60;
      const until = pauseHealing(store, asked);
      const length = params.minutes === undefined ? 'until it is lifted' : `for at least ${params.minutes} minutes`;
      const kept = until > asked ? ' A longer pause was in force and stays.' : '';
      return { kind: 'done', sentence: `Healing is paused ${length}.${kept}`, result: { paused_until: until } };
    },
    verify: () => ({ paused_until: healingPausedUntil(store) }),
  };
}
