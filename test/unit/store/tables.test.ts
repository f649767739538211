import { describe, expect, it } from 'vitest';
import type { Store } from '../../../agent/store/open-store.ts';
import { withDir } from '../../support/evidence-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';
import { AT, findingState, identity, open, order } from '../../support/store-fixtures.ts';

const withStore = (fn: (store: Store) => void): void =>
  withDir((dir) => {
    const store = open(dir);
    fn(store);
    store.close();
  });

const first = order(1);
const refused = {
  digest: 'ee'.repeat(32),
  code: 'order_expired',
  outcome: 'expired' as const,
  orderId: null,
  sentence: 'Too late.',
  evidenceSeq: 5,
  at: AT,
};

describe('orders', () => {
  it('are found by id, digest and state with everything that was set', () =>
    withStore(({ orders }) => {
      orders.insert(order(2));
      orders.insert(first);
      const row = {
        ...first,
        outcome: null,
        code: null,
        sentence: null,
        detail: null,
        acceptedAt: AT + 1,
        endReported: 0,
      };
      expect(orders.byId(first.orderId)).toEqual(row);
      orders.setState(first.orderId, { state: 'handed_over', detail: '{"boot_id":"x"}', evidenceSeq: 3, at: AT + 5 });
      orders.setState(first.orderId, { state: 'result', outcome: 'success', sentence: 'Done.', at: AT + 9 });
      expect(orders.byDigest(first.digest)).toEqual({
        ...row,
        state: 'result',
        outcome: 'success',
        sentence: 'Done.',
        evidenceSeq: 3,
        detail: '{"boot_id":"x"}',
        at: AT + 9,
      });
      expect(orders.inStates(['accepted', 'started']).map(({ seq }) => seq)).toEqual([2]);
      expect(orders.inStates(['accepted', 'result']).map(({ seq }) => seq)).toEqual([1, 2]);
      expect(orders.list(1).map(({ seq }) => seq)).toEqual([2]);
      expect([orders.byId('none'), orders.byDigest('none')]).toEqual([null, null]);
    }));

  it('are taken once: the same id, digest or place in the epoch is refused', () =>
    withStore(({ orders }) => {
      orders.insert(first);
      for (const same of [{ orderId: first.orderId }, { digest: first.digest }, { seq: 1 }]) {
        expectCode(() => orders.insert({ ...order(2), ...same }), 'internal');
      }
      expect(orders.list(9).length).toBe(1);
    }));

  it('have a floor per epoch that only rises', () =>
    withStore(({ orders }) => {
      expect(orders.floor(1)).toBe(0);
      orders.raiseFloor(1, 7);
      orders.raiseFloor(1, 3);
      expect([orders.floor(1), orders.floor(2)]).toEqual([7, 0]);
    }));

  it('that were refused stand once per payload and code', () =>
    withStore(({ orders }) => {
      orders.recordRefusal(refused);
      orders.recordRefusal({ ...refused, sentence: 'Another.', evidenceSeq: 9 });
      orders.recordRefusal({ ...refused, code: 'order_replayed', outcome: 'rejected' });
      expect(orders.refusal(refused.digest, refused.code)).toEqual(refused);
      expect(orders.refusal(refused.digest, 'order_class')).toBe(null);
      expect(orders.refusals(9).map(({ code }) => code)).toEqual(['order_replayed', 'order_expired']);
    }));

  it('use an authorisation once', () =>
    withStore(({ orders }) => {
      orders.useAuthorisation('a1', first.digest, AT);
      expectCode(() => orders.useAuthorisation('a1', first.digest, AT), 'internal');
      expect(orders.usedAuthorisations()).toEqual(['a1']);
      expect(orders.usedAuthorisations(first.digest)).toEqual([]);
      expect(orders.usedAuthorisations('another')).toEqual(['a1']);
    }));

  it('are reported until their latest state was in an answered check-in', () =>
    withStore(({ orders }) => {
      orders.insert(first);
      orders.recordRefusal(refused);
      const reports = orders.unreported(9);
      expect(reports.map(({ key: _key, ...report }) => report)).toEqual([
        {
          order_id: null,
          payload_sha256: refused.digest,
          state: 'refused',
          outcome: 'expired',
          code: 'order_expired',
          evidence_seq: 5,
          at: AT,
        },
        {
          order_id: first.orderId,
          payload_sha256: first.digest,
          state: 'accepted',
          outcome: null,
          code: null,
          evidence_seq: 1,
          at: AT + 1,
        },
      ]);
      expect(orders.unreported(1).length).toBe(1);
      orders.setState(first.orderId, { state: 'result', outcome: 'success', at: AT + 2 });
      orders.markReported(reports.map(({ key }) => key));
      expect(orders.unreported(9).map(({ state }) => state)).toEqual(['result']);
      expect(orders.byId(first.orderId)?.endReported).toBe(0);
      orders.markReported(orders.unreported(9).map(({ key }) => key));
      expect(orders.byId(first.orderId)?.endReported).toBe(1);
      orders.markReported(reports.map(({ key }) => key));
      expect(orders.unreported(9)).toEqual([]);
    }));
});

describe('findings', () => {
  it('are replaced by target and check', () =>
    withStore(({ findings }) => {
      findings.put(findingState('disk'));
      findings.put(findingState('clock'));
      findings.put({ ...findingState('disk'), result: 'waived', waiverId: 'w1', runs: 9 });
      expect(findings.get('appliance', 'disk')).toEqual({
        ...findingState('disk'),
        result: 'waived',
        waiverId: 'w1',
        runs: 9,
      });
      expect(findings.all().map(({ checkId }) => checkId)).toEqual(['clock', 'disk']);
      expect(findings.get('server-1', 'disk')).toBe(null);
    }));
});

describe('trust documents', () => {
  it('keep every root and give the highest version of each other document', () =>
    withStore(({ trust }) => {
      const at = AT;
      trust.addRoot({ version: 2, digest: 'b', line: 'two' });
      trust.addRoot({ version: 1, digest: 'a', line: 'one' });
      trust.addRoot({ version: 1, digest: 'a', line: 'one' });
      expect(trust.roots().map(({ line }) => line)).toEqual(['one', 'two']);
      expect(trust.document('policy')).toBe(null);
      for (const version of [3, 9, 4])
        trust.putDocument({ kind: 'policy', version, digest: `p${version}`, line: 'x', at });
      trust.putDocument({ kind: 'content', version: 1, digest: 'c', line: 'y', at });
      expect(trust.document('policy')).toEqual({ kind: 'policy', version: 9, digest: 'p9', line: 'x', at });
    }));

  it('refuse another document under a known version', () =>
    withStore(({ trust }) => {
      trust.addRoot({ version: 1, digest: 'a', line: 'one' });
      expectCode(() => trust.addRoot({ version: 1, digest: 'b', line: 'other' }), 'internal');
      trust.putDocument({ kind: 'content', version: 1, digest: 'c', line: 'y', at: AT });
      expectCode(() => trust.putDocument({ kind: 'content', version: 1, digest: 'd', line: 'z', at: AT }), 'internal');
      expect(trust.roots()[0]?.line).toBe('one');
    }));

  it('keep who we are and the last signed time, the newest only', () =>
    withStore(({ trust }) => {
      expect([trust.identity(), trust.signedTime()]).toEqual([null, null]);
      trust.saveIdentity(identity);
      trust.saveIdentity({ ...identity, epoch: 2 });
      expect(trust.identity()).toEqual({ ...identity, epoch: 2 });
      trust.saveSignedTime({ serverTime: AT, bootMs: 1, bootId: 'b' });
      trust.saveSignedTime({ serverTime: AT + 60, bootMs: 60_001.25, bootId: 'b' });
      expect(trust.signedTime()).toEqual({ serverTime: AT + 60, bootMs: 60_001.25, bootId: 'b' });
    }));
});

describe('uplink state', () => {
  it('counts check-ins without ever repeating a number, across reopenings too', () =>
    withDir((dir) => {
      const seen: number[] = [];
      for (let i = 0; i < 3; i++) {
        const { uplink, close } = open(dir);
        seen.push(uplink.nextCounter(), uplink.nextCounter());
        close();
      }
      expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
    }));

  it('moves the pointer both ways and keeps each receipt once', () =>
    withStore(({ uplink }) => {
      const { origin } = identity;
      uplink.setPointer(origin, 9);
      uplink.setPointer(origin, 4);
      expect([uplink.pointer(origin), uplink.pointer('other')]).toEqual([4, 0]);
      const receipt = (size: number, line: string) => ({ origin, size, root: '0a', line, at: AT });
      for (const r of [receipt(7, 'a'), receipt(9, 'b'), receipt(7, 'a'), receipt(9, 'c')]) uplink.saveReceipt(r);
      expect(uplink.receipts(origin).map(({ line }) => line)).toEqual(['a', 'b', 'c']);
      expect([uplink.latestReceipt(origin)?.line, uplink.latestReceipt('other')]).toEqual(['c', null]);
    }));

  it('keeps why an upload waits until it is lifted', () =>
    withStore(({ uplink }) => {
      const { origin } = identity;
      const reason = { code: 'http_refused', sentence: 'Refused.', until: AT, tries: 1 };
      uplink.park(origin, reason);
      uplink.park(origin, { ...reason, tries: 2 });
      expect(uplink.parked(origin)).toEqual({ ...reason, tries: 2 });
      uplink.unpark(origin);
      expect(uplink.parked(origin)).toBe(null);
    }));

  it('adds up bytes by day and forgets days older than 400', () =>
    withStore(({ uplink }) => {
      expect(uplink.bytes()).toEqual({ sent: 0, received: 0 });
      uplink.addBytes(10, 20, 20_000);
      uplink.addBytes(1, 2, 20_000);
      uplink.addBytes(5, 5, 20_001);
      expect(uplink.traffic()).toEqual([
        { day: 20_000, sent: 11, received: 22 },
        { day: 20_001, sent: 5, received: 5 },
      ]);
      expect(uplink.bytes()).toEqual({ sent: 16, received: 27 });
      uplink.addBytes(1, 1, 20_401);
      expect(uplink.traffic().map(({ day }) => day)).toEqual([20_001, 20_401]);
    }));
});

describe('settings', () => {
  it('are set, replaced and deleted', () =>
    withStore(({ settings }) => {
      settings.set('a', '1');
      settings.set('a', '2');
      expect([settings.get('a'), settings.get('b')]).toEqual(['2', null]);
      settings.delete('a');
      expect(settings.get('a')).toBe(null);
    }));
});
