// What the helpers remember, over versions of the agent: a rollback of the system brings an older version to what a newer one wrote.
import { describe, expect, it } from 'vitest';
import { ledgerAt } from '../../../agent/helpers/heal-ledger.ts';
import { parseHelperState, recovered } from '../../../agent/helpers/helper-state.ts';
import { judgeGrounds } from '../../../agent/helpers/judge-grounds.ts';
import { openHealTrust } from '../../../agent/helpers/heal-trust.ts';
import { judgeSlot, UNKNOWN_SLOT } from '../../../agent/helpers/judge-slot.ts';
import { expectCode } from '../../support/expect-code.ts';
import { healSite } from '../../support/heal-fixtures.ts';
import { NOW } from '../../support/trust-fixtures.ts';

/** As the first version that healed wrote it. */
const OLD = {
  schema: 'compliance-agent/helper-state/v1',
  time: { server_time: NOW, boot_ms: 5, boot_id: 'b0' },
  runs: { 'sync-trust': [{ boot_id: 'b0', boot_ms: 5 }] },
  heal: {
    orders: { epoch: 1, began: NOW - 50, floor: 7 },
    used: [{ digest: 'd', id: 'i', at: NOW }],
    seen: [],
    runs: [{ runbook: 'RB-APP-AV-001', at: NOW }],
  },
  slot: { spki: 's', epoch: 1, sealed_with: 'host' },
};
const parse = (value: unknown) => parseHelperState(JSON.stringify(value), 'state.json');

describe('what the helpers remember', () => {
  it('is read as an older version wrote it: what that did not know is as if it had never been', () => {
    expect(parse(OLD)).toMatchObject({
      lost: false,
      firewall: null,
      heal: { remembers_from: 0 },
      runs: { 'set-clock': [] },
    });
  });

  it('keeps what a newer version added, through a run of this one', () => {
    const newer = {
      ...OLD,
      floor_of_something: 9,
      runs: { ...OLD.runs, 'open-door': [{ boot_id: 'b0', boot_ms: 7, why: 'asked' }] },
      heal: { ...OLD.heal, orders: { ...OLD.heal.orders, dry: 3 }, grants: ['g'] },
      slot: { ...OLD.slot, tpm: 2 },
    };
    const state = parse(newer);
    const written = { ...state, heal: ledgerAt(state.heal, NOW, { epoch: 1, issued_at: NOW - 100 }) };
    expect(JSON.parse(JSON.stringify(written))).toMatchObject(newer);
  });

  it('is of a newer form where its schema says so, and damaged where it says nothing that is known', () => {
    expectCode(() => parse({ ...OLD, schema: 'compliance-agent/helper-state/v2' }), 'helper_state_too_new');
    expectCode(() => parse({ ...OLD, schema: 'compliance-agent/helper-state/v0' }), 'helper_state_damaged');
    expectCode(() => parse({ ...OLD, heal: { ...OLD.heal, orders: { epoch: 1, began: 2 } } }), 'helper_state_damaged');
    expectCode(() => parse(null), 'helper_state_damaged');
    expectCode(() => parseHelperState('{', 'state.json'), 'helper_state_damaged');
  });
});

describe('a memory that was lost and begun anew', () => {
  const site = healSite();
  const trust = openHealTrust(site.lines, NOW);
  const { av } = site.runbooks;
  const fresh = recovered(parse({ ...OLD, lost: true }), NOW).heal;
  const judge = (issuedAt: number, ledger = fresh) =>
    judgeGrounds(
      site.request(
        av,
        { verb: 'restart-unit', what: 'av_edr' },
        site.byOrder(site.order(av, { issued_at: issuedAt, not_before: issuedAt, expires_at: issuedAt + 600 })),
      ),
      { trust, ledger, now: NOW + 60, clockSound: true, check: 'av_edr', units: [] },
    );

  it('takes no order from before: it may have been carried out already', () => {
    const { stop, ledger } = judge(NOW - 10);
    expect(stop).toMatchObject({ code: 'order_replayed' });
    expect(ledger.runs).toEqual([]);
    // The same order with a memory that was never lost.
    expect(judge(NOW - 10, { ...fresh, remembers_from: 0 }).stop).toBeNull();
  });

  it('takes orders from since then, each once', () => {
    const first = judge(NOW + 10);
    expect(first.stop).toBeNull();
    expect(judge(NOW + 10, first.ledger).stop).toMatchObject({ code: 'order_replayed' });
  });

  it('lets no key in the place of one that nobody remembers, but the one that the registrar names', () => {
    const value = { device_spki: 'mine', epoch: 3 };
    expectCode(() => judgeSlot(UNKNOWN_SLOT, 'other', { value, digest: 'd' } as never), 'helper_slot_taken');
    expectCode(() => judgeSlot(UNKNOWN_SLOT, 'mine', null), 'helper_slot_taken');
    expect(judgeSlot(UNKNOWN_SLOT, 'mine', { value, digest: 'd' } as never)).toEqual({ verdict: 'store', epoch: 3 });
  });
});
