// Order kind `set_healing`: no healing until a time, or the end of every pause and breaker, which takes two people (an authorisation).
import { paramsOf } from '../../guards/order-params.ts';
import { closeBreakers } from '../../healing/healing-memory.ts';
import type { OrderHandler } from '../../orders/order-handler.ts';
import { timeT } from '../../trust/signed-time.ts';
import type { DaemonContext } from '../context.ts';
import { healingPausedUntil, liftPause, pauseHealing, UNTIL_LIFTED } from '../healing-pause.ts';

export function setHealingHandler(context: DaemonContext): OrderHandler {
  const { store, clock } = context;
  return {
    kind: 'set_healing',
    does: 'store_change',
    act(order) {
      const nowT = timeT(store.trust.signedTime(), clock.bootMs(), clock.bootId());
      const params = paramsOf('set_healing', order);
      if (params.action === 'enable') {
        const was = liftPause(store);
        const closed = closeBreakers(store);
        const lifted = was ? 'The pause of healing is lifted.' : 'Healing was not paused.';
        const sentence = closed === 0 ? lifted : `${lifted} ${closed} breakers are closed.`;
        return { kind: 'done', sentence, result: { paused_until: null } };
      }
      if (nowT === null) {
        const sentence = 'A pause can be counted only from a known signed time.';
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
