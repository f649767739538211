import { describe, expect, it } from 'vitest';
import type { DaemonContext } from '../../../agent/daemon/context.ts';
import {
  beginPauseByHand,
  healingPausedUntil,
  pauseByHand,
  pausedByHand,
  pausedByOrder,
  UNTIL_LIFTED,
} from '../../../agent/daemon/healing-pause.ts';
import { setHealingHandler } from '../../../agent/daemon/order-handlers/set-healing.ts';
import { blockedRunbooks, blockRunbook } from '../../../agent/healing/healing-memory.ts';
import { moreVerbose } from '../../../agent/daemon/stages/checkin-stage.ts';
import type { Order } from '../../../agent/wire/schemas/order.ts';
import { LOG_LEVELS } from '../../../agent/wire/schemas/checkin.ts';
import { trust, withLog, type OpenLog } from '../../support/evidence-fixtures.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const pause = (minutes?: number): Order =>
  trust.order({
    kind: 'set_healing',
    class: 'routine',
    params: { action: 'pause', ...(minutes === undefined ? {} : { minutes }) },
  });

function act({ store, clock }: OpenLog, order: Order) {
  const handler = setHealingHandler({ store, clock } as Partial<DaemonContext> as DaemonContext);
  if (handler.does !== 'store_change') throw new Error('not a change of the store');
  return handler.act(order, NOW);
}
const knowTime = ({ store, clock }: OpenLog): void =>
  store.trust.saveSignedTime({ serverTime: NOW, bootMs: clock.bootMs(), bootId: clock.bootId() });

describe('a pause of healing', () => {
  it('is counted in signed time, whatever the wall clock says', () =>
    withLog((open) => {
      knowTime(open);
      open.clock.setWall((NOW + 94_608_000) * 1_000);
      expect(act(open, pause(10))).toMatchObject({ kind: 'done', result: { paused_until: NOW + 600 } });
      expect(healingPausedUntil(open.store)).toBe(NOW + 600);
    }));

  it('is never shortened by a later order', () =>
    withLog((open) => {
      knowTime(open);
      act(open, pause(60));
      expect(act(open, pause(5))).toMatchObject({ kind: 'done', result: { paused_until: NOW + 3_600 } });
      expect(act(open, pause())).toMatchObject({ result: { paused_until: UNTIL_LIFTED } });
      act(open, pause(60));
      expect(healingPausedUntil(open.store)).toBe(UNTIL_LIFTED);
    }));

  it('ends with an order that enables healing, also one that had no end, and with none where there is none', () =>
    withLog((open) => {
      knowTime(open);
      act(open, pause());
      const enable = trust.order({ kind: 'set_healing', class: 'disruptive', params: { action: 'enable' } });
      expect(act(open, enable)).toMatchObject({ kind: 'done', result: { paused_until: null } });
      expect(healingPausedUntil(open.store)).toBeNull();
      expect(act(open, enable)).toMatchObject({ kind: 'done', sentence: 'Healing was not paused.' });
    }));

  it('by hand stands beside one by order: the longer of both counts, neither is shortened, and enabling ends both', () =>
    withLog((open) => {
      const { store } = open;
      knowTime(open);
      pauseByHand(store, 3_600, NOW);
      act(open, pause(10));
      expect([pausedByHand(store), pausedByOrder(store)]).toEqual([NOW + 3_600, NOW + 600]);
      pauseByHand(store, 60, NOW);
      expect(healingPausedUntil(store)).toBe(NOW + 3_600);
      act(open, trust.order({ kind: 'set_healing', class: 'disruptive', params: { action: 'enable' } }));
      expect([healingPausedUntil(store), pausedByHand(store)]).toEqual([null, null]);
    }));

  it('by hand without signed time begins when there is one, for its whole length', () =>
    withLog(({ store }) => {
      pauseByHand(store, 600, null);
      expect(pausedByHand(store)).toBeNull();
      beginPauseByHand(store, NOW + 50);
      beginPauseByHand(store, NOW + 90);
      expect(pausedByHand(store)).toBe(NOW + 650);
    }));

  it('ends, when two persons enable healing, together with the breakers, and its result says so', () =>
    withLog((open) => {
      knowTime(open);
      blockRunbook(open.store, 'RB-WIN-AV-001');
      const enable = trust.order({ kind: 'set_healing', class: 'disruptive', params: { action: 'enable' } });
      expect(act(open, enable)).toMatchObject({ sentence: 'Healing was not paused. 1 breakers are closed.' });
      expect(blockedRunbooks(open.store).size).toBe(0);
    }));

  it('is not set where no signed time is known', () =>
    withLog((open) => {
      expect(act(open, pause(10))).toMatchObject({ kind: 'failed' });
      expect(healingPausedUntil(open.store)).toBeNull();
    }));
});

describe('the log level that a signed answer asks for', () => {
  it('can make the log say more than the configuration, never less', () => {
    for (const configured of LOG_LEVELS) {
      for (const asked of LOG_LEVELS) {
        const inForce = moreVerbose(configured, asked);
        expect(LOG_LEVELS.indexOf(inForce)).toBe(Math.min(LOG_LEVELS.indexOf(configured), LOG_LEVELS.indexOf(asked)));
      }
    }
  });
});
