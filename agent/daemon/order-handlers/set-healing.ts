// Order kind `set_healing`: no healing until a time; or, by two people (an authorisation), the end of every pause and breaker, of one
// breaker, or one incident given back to healing.
import { paramsOf } from '../../guards/order-params.ts';
import { closeBreaker, closeBreakers, isMemoryWhole, vouchForMemory } from '../../healing/healing-memory.ts';
import { incidentOf, recordStep } from '../../healing/incident-store.ts';
import type { ActOutcome, OrderHandler } from '../../orders/order-handler.ts';
import type { Order } from '../../wire/schemas/order.ts';
import type { DaemonContext } from '../context.ts';
import { healingPausedUntil, liftPause, pauseHealing, UNTIL_LIFTED } from '../healing-pause.ts';
import { recordIncident, signedNow } from '../note-incident.ts';

const done = (sentence: string, result: { paused_until?: number | null } = {}): ActOutcome => ({
  kind: 'done',
  sentence,
  result,
});

export function setHealingHandler(context: DaemonContext): OrderHandler {
  const { store } = context;
  return {
    kind: 'set_healing',
    does: 'store_change',
    act(order) {
      const params = paramsOf('set_healing', order);
      switch (params.action) {
        case 'pause':
          return pause(context, params.minutes);
        case 'enable':
          return enable(context);
        case 'rearm':
          return rearm(context, order, params.incident);
        case 'close_breaker':
          return closeBreaker(store, params.runbook)
            ? done(`The breakers of ${params.runbook} are closed.`)
            : nothing(`No breaker of ${params.runbook} is open.`);
      }
    },
    verify: () => ({ paused_until: healingPausedUntil(store) }),
  };
}

function pause(context: DaemonContext, minutes: number | undefined): ActOutcome {
  const nowT = signedNow(context);
  if (nowT === null) {
    const sentence = 'A pause can be counted only from a known signed time.';
    return { kind: 'failed', code: 'order_handler_failed', sentence, result: {} };
  }
  const asked = minutes === undefined ? UNTIL_LIFTED : nowT + minutes * 60;
  const until = pauseHealing(context.store, asked);
  const length = minutes === undefined ? 'until it is lifted' : `for at least ${minutes} minutes`;
  const kept = until > asked ? ' A longer pause was in force and stays.' : '';
  return done(`Healing is paused ${length}.${kept}`, { paused_until: until });
}

function enable({ store }: DaemonContext): ActOutcome {
  const lifted = liftPause(store) ? 'The pause of healing is lifted.' : 'Healing was not paused.';
  const closed = closeBreakers(store);
  const epoch = store.trust.identity()?.epoch ?? 1;
  const wasWhole = isMemoryWhole(store, epoch);
  vouchForMemory(store, epoch);
  const sentences = [
    lifted,
    ...(closed === 0 ? [] : [`${closed} breakers are closed.`]),
    ...(wasWhole ? [] : ['Healing goes on in this epoch of the log.']),
  ];
  return done(sentences.join(' '), { paused_until: null });
}

const nothing = (sentence: string): ActOutcome => ({
  kind: 'failed',
  code: 'healing_nothing_to_rearm',
  sentence,
  result: {},
});

/** Earlier attempts and recurrences do not count any more: two people have looked at it. */
function rearm(context: DaemonContext, { order_id: orderId }: Order, incidentId: string): ActOutcome {
  const { store, state } = context;
  const row = store.incidents.get(incidentId);
  const incident = row === null ? null : incidentOf(row);
  if (incident?.state !== 'ticketed') return nothing('There is no such incident with people.');
  const at = signedNow(context) ?? incident.changedAt;
  const sentence = `people gave it back to healing by the order ${orderId}`;
  const after = { ...incident, state: 'seen', nextStepAt: null } as const;
  const seq = state.enrolled === null ? undefined : recordIncident(context, state.enrolled.evidence, after, sentence);
  recordStep(store, incidentId, {
    ...{ event: 'rearmed', at, sentence, byPeople: true },
    ...(seq === undefined ? {} : { seq }),
  });
  return done('The incident is given back to healing.');
}
