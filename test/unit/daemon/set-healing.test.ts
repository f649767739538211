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
import type { AgentState } from '../../../agent/daemon/agent-state.ts';
import {
  blockedRunbooks,
  blockRunbook,
  isMemoryWhole,
  noteNeed,
  siteBreakers,
} from '../../../agent/healing/healing-memory.ts';
import { incidentOf, recordDrift, recordStep } from '../../../agent/healing/incident-store.ts';
import { moreVerbose } from '../../../agent/daemon/stages/checkin-stage.ts';
import type { EnrolledIdentity } from '../../../agent/store/open-store.ts';
import type { Order } from '../../../agent/wire/schemas/order.ts';
import { LOG_LEVELS } from '../../../agent/wire/schemas/checkin.ts';
import { statementsOf, trust, withLog, type OpenLog } from '../../support/evidence-fixtures.ts';
import { NOW, uuidOf } from '../../support/trust-fixtures.ts';

const pause = (minutes?: number): Order =>
  trust.order({
    kind: 'set_healing',
    class: 'routine',
    params: { action: 'pause', ...(minutes === undefined ? {} : { minutes }) },
  });

function act({ store, clock, log }: OpenLog, order: Order) {
  const state = { findings: new Map(), enrolled: { evidence: log } } as Partial<AgentState> as AgentState;
  const handler = setHealingHandler({ store, clock, state } as Partial<DaemonContext> as DaemonContext);
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

const IDENTITY: EnrolledIdentity = {
  ...{
    applianceId: 'a-1',
    siteId: 's-1',
    customerId: 'c-1',
    partnerId: 'p-1',
    deploymentMode: 'direct',
    resellerId: null,
  },
  ...{
    origin: 'example.org/a-1/2',
    epoch: 2,
    bindingLine: '',
    certificatePem: '',
    centralUrl: '',
    caPem: '',
    caPins: [],
  },
};
const two = (params: Order['params']): Order => trust.order({ kind: 'set_healing', class: 'disruptive', params });

describe('what two persons give back to healing one by one', () => {
  const KEY = { targetId: 'pc-1', checkId: 'windows_av', condition: 'av-off' };
  /** Came back three times and went to people. */
  function ticketed({ store }: OpenLog): string {
    const drift = { severity: 'high', sentence: 'protection is off' } as const;
    const { id } = recordDrift(store, () => uuidOf(7), KEY, { at: NOW, ...drift });
    for (const n of [1, 2, 3]) {
      recordStep(store, id, { event: 'pass', at: NOW + n * 60 });
      recordStep(store, id, { event: 'drift', at: NOW + n * 60 + 30, ...drift });
    }
    const verdict = { verdict: 'people', guard: 'flap', sentence: 'it came back', until: null } as const;
    recordStep(store, id, { event: 'judged', at: NOW + 300, verdict, runbook: null });
    return id;
  }
  const incident = ({ store }: OpenLog, id: string) => incidentOf(store.incidents.get(id)!);

  it('is one incident: it is judged anew, its attempts and recurrences do not count any more, and its entry names the order', () =>
    withLog((open) => {
      knowTime(open);
      const id = ticketed(open);
      const order = two({ action: 'rearm', incident: id });
      expect(act(open, order)).toMatchObject({ kind: 'done' });
      expect(incident(open, id)).toMatchObject({ state: 'seen', recurredAt: [], seenAt: [], attemptsFrom: NOW + 300 });
      const said = statementsOf(open.store).flatMap(({ predicate: p }) => (p.kind === 'incident' ? [p] : []));
      expect(said).toMatchObject([{ incident_id: id, state: 'seen' }]);
      expect(said[0]?.sentence).toContain(order.order_id);
      expect(open.store.incidents.lines(id).at(-1)).toMatchObject({ what: 'rearmed', evidenceSeq: expect.any(Number) });
    }));

  it('is nothing that is not with people, or not there', () =>
    withLog((open) => {
      const id = ticketed(open);
      recordStep(open.store, id, { event: 'waived', at: NOW + 400, sentence: 'accepted' });
      for (const of of [id, uuidOf(8)]) {
        expect(act(open, two({ action: 'rearm', incident: of }))).toMatchObject({
          kind: 'failed',
          code: 'healing_nothing_to_rearm',
        });
      }
      expect(incident(open, id).state).toBe('waived');
    }));

  it('is one runbook: both its breakers close, those of another stay open, and so does a pause', () =>
    withLog((open) => {
      knowTime(open);
      const { store } = open;
      act(open, pause(60));
      for (const id of ['RB-WIN-AV-001', 'RB-WIN-PATCH-001']) {
        blockRunbook(store, id);
        for (const target of ['pc-1', 'pc-2']) noteNeed(store, id, target, NOW);
      }
      const close = two({ action: 'close_breaker', runbook: 'RB-WIN-AV-001' });
      expect(act(open, close)).toMatchObject({ kind: 'done' });
      expect([...blockedRunbooks(store)]).toEqual(['RB-WIN-PATCH-001']);
      expect([...siteBreakers(store)].flatMap(([id, { openedAt }]) => (openedAt === null ? [] : [id]))).toEqual([
        'RB-WIN-PATCH-001',
      ]);
      expect(healingPausedUntil(store)).toBe(NOW + 3_600);
      expect(act(open, close)).toMatchObject({ kind: 'failed', code: 'healing_nothing_to_rearm' });
    }));
});

describe('an epoch of the log that nobody ordered', () => {
  it('is held until two persons enable healing in it, and not by a pause, a breaker that is closed, or an order for another epoch', () =>
    withLog((open) => {
      knowTime(open);
      const { store } = open;
      const whole = (epoch: number): boolean => isMemoryWhole(store, epoch);
      expect([whole(1), whole(2)]).toEqual([true, false]);
      store.trust.saveIdentity(IDENTITY);
      act(open, pause(5));
      blockRunbook(store, 'RB-WIN-AV-001');
      act(open, two({ action: 'close_breaker', runbook: 'RB-WIN-AV-001' }));
      expect(whole(2)).toBe(false);
      expect(act(open, two({ action: 'enable' }))).toMatchObject({
        sentence: 'The pause of healing is lifted. Healing goes on in this epoch of the log.',
      });
      expect([whole(2), whole(3)]).toEqual([true, false]);
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
