import { describe, expect, it } from 'vitest';
import { EMPTY_LEDGER } from '../../../agent/helpers/heal-ledger.ts';
import { parseHealRequest, type OrderedAct } from '../../../agent/helpers/heal-request.ts';
import type { ActContext } from '../../../agent/helpers/judge-act.ts';
import { judgeOrdered } from '../../../agent/helpers/judge-ordered.ts';
import { declaredUpdate } from '../../../agent/helpers/apply-update.ts';
import { parseBaseline } from '../../../agent/checks/baseline.ts';
import { encodeEnvelope } from '../../../agent/wire/dsse.ts';
import { signDocument } from '../../../agent/wire/document.ts';
import type { Authorisation, Order } from '../../../agent/wire/schemas/order.ts';
import { expectCode } from '../../support/expect-code.ts';
import { healBaseline, healSite } from '../../support/heal-fixtures.ts';
import { uuidOf } from '../../support/trust-fixtures.ts';

const DAY_S = 86_400;
const site = healSite();
const { trust, now } = site;
const SYSTEM = {
  closure: `/nix/store/${'1'.repeat(32)}-nixos-system-lab-26.05`,
  nar_hash: `sha256:0${'z'.repeat(51)}`,
  agent_version: '1.4.0',
};
const open = {
  windows: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], start: '00:00', end: '23:59' }],
} as const;
const context: ActContext = {
  ...site.context,
  lines: {
    ...site.lines,
    policy: site.policy({ windows: [...open.windows].map((one) => ({ ...one, days: [...one.days] })) }),
  },
};

interface Change {
  readonly order?: Partial<Order>;
  readonly authorisation?: Partial<Authorisation> | null;
  readonly people?: readonly string[];
}

/** An order of a kind of its own that two people authorised, bent by `change`. */
function asked(verb: OrderedAct['verb'], change: Change = {}): OrderedAct {
  const kind = verb === 'reboot' ? 'reboot' : 'update_system';
  const params = verb === 'reboot' ? {} : SYSTEM;
  const authorisation = trust.authorisation({
    ...{ kind, params, issued_at: now - 600, not_after: now + DAY_S },
    ...change.authorisation,
  });
  delete (authorisation as { runbook?: unknown }).runbook;
  const people = (change.people ?? ['alice', 'bob']).map((person) => trust.keys[`operator:${person}`]!);
  const order = trust.order({
    ...{ kind, params, class: 'disruptive', seq: 7, issued_at: now - 10, not_before: now - 10, expires_at: now + 600 },
    ...(change.authorisation === null ? {} : { authorisation: trust.embed('authorisation', authorisation, ...people) }),
    ...change.order,
  });
  return {
    schema: 'compliance-agent/heal-request/v1',
    request_id: uuidOf(1),
    verb,
    order: encodeEnvelope(signDocument('order', order, trust.signersOf('order'))),
  };
}
const verdict = (act: OrderedAct, changed: Partial<ActContext> = {}) => judgeOrdered(act, { ...context, ...changed });

describe('an order to switch the system or to restart, as its helper judges it', () => {
  it('is taken where two people authorised exactly it, and says which system', () => {
    expect(verdict(asked('apply-update'))).toMatchObject({
      stop: null,
      system: SYSTEM,
      ledger: { orders: { floor: 7 } },
    });
    expect(verdict(asked('reboot'))).toMatchObject({ stop: null, system: null });
  });

  it('is used up by that: neither it nor another one under its authorisation is taken again', () => {
    const act = asked('apply-update');
    const { ledger } = verdict(act);
    expect(verdict(act, { ledger }).stop?.code).toBe('order_replayed');
    expect(verdict(asked('apply-update', { order: { seq: 8 } }), { ledger }).stop?.code).toBe(
      'order_authorisation_used',
    );
  });

  it.each<[string, OrderedAct, Partial<ActContext>, string]>([
    ['is authorised by nobody', asked('apply-update', { authorisation: null }), {}, 'order_authorisation_missing'],
    ['is authorised by one person alone', asked('reboot', { people: ['alice'] }), {}, 'order_authorisation_signatures'],
    [
      'names another system than was authorised',
      asked('apply-update', { order: { params: { ...SYSTEM, closure: SYSTEM.closure.replace('1', '2') } } }),
      {},
      'order_authorisation_mismatch',
    ],
    [
      'names other bytes than were authorised',
      asked('apply-update', { order: { params: { ...SYSTEM, nar_hash: `sha256:1${'z'.repeat(51)}` } } }),
      {},
      'order_authorisation_mismatch',
    ],
    ...['/etc/nixos', '/nix/store/../../tmp/x', `/nix/store/${'1'.repeat(32)}-a/b`, 'nixos-system'].map(
      (closure): [string, OrderedAct, Partial<ActContext>, string] => [
        `names ${closure}, which is no path of the store`,
        asked('apply-update', { order: { params: { ...SYSTEM, closure } } }),
        {},
        'order_params_invalid',
      ],
    ),
    [
      'names no hash',
      asked('apply-update', { order: { params: { closure: SYSTEM.closure } } }),
      {},
      'order_params_invalid',
    ],
    ['is of another kind than the helper', { ...asked('reboot'), verb: 'apply-update' }, {}, 'order_kind_unsupported'],
    ['comes while the window is closed', asked('reboot'), { lines: site.lines }, 'order_window_closed'],
    [
      'comes while nothing keeps the clock',
      asked('apply-update'),
      { clock: { ...context.clock, synchronised: false } },
      'order_clock_unsound',
    ],
    [
      'is expired',
      asked('reboot', { order: { issued_at: now - 700, not_before: now - 700, expires_at: now - 1 } }),
      {},
      'order_expired',
    ],
    [
      'is the seventh of its kind in a day',
      asked('reboot'),
      { ledger: { ...EMPTY_LEDGER, runs: Array.from({ length: 6 }, () => ({ runbook: 'reboot', at: now - 60 })) } },
      'helper_not_now',
    ],
    [
      'is older than what the helpers remember',
      asked('reboot'),
      { ledger: { ...EMPTY_LEDGER, remembers_from: now + 1 } },
      'order_authorisation_used',
    ],
  ])('is refused where it %s', (_, act, changed, code) => {
    const { stop, system } = verdict(act, changed);
    expect([stop?.code, system]).toEqual([code, null]);
  });

  it('counts the restarts of a day, and not the updates beside them', () => {
    const runs = Array.from({ length: 6 }, () => ({ runbook: 'reboot', at: now - 60 }));
    expect(verdict(asked('apply-update'), { ledger: { ...EMPTY_LEDGER, runs } }).stop).toBeNull();
    const yesterday = runs.map((run) => ({ ...run, at: now - DAY_S - 1 }));
    expect(verdict(asked('reboot'), { ledger: { ...EMPTY_LEDGER, runs: yesterday } }).stop).toBeNull();
  });

  it('is valid from when it was signed, also where the newest signed time lay around for a minute', () => {
    const fresh = asked('reboot', { order: { issued_at: now, not_before: now } });
    expect(verdict(fresh, { time: { ...site.context.time!, serverTime: now - 60 } }).stop).toBeNull();
  });

  it('comes in a request of its own shape: with other fields beside it, it is none', () => {
    const request = { ...asked('reboot'), order: 'x' };
    const parse = (value: object) => parseHealRequest(Buffer.from(JSON.stringify(value)), 'reboot');
    expect(parse(request)).toEqual(request);
    expectCode(() => parse({ ...request, closure: SYSTEM.closure }), 'helper_request_invalid');
    expectCode(() => parse({ ...request, verb: 'run-backup' }), 'helper_request_invalid');
  });
});

describe('the system that a baseline declares for updates', () => {
  const baseline = (nixos: string) =>
    parseBaseline(
      Buffer.from(
        `${healBaseline().toString()}  patching:\n    expected: declared\n    reboot_pending_hours: 24\n    nixos: ${nixos}\n`,
      ),
      'baseline',
    );
  const update = `{ nar_hash: '${SYSTEM.nar_hash}', agent_version: 1.4.0 }`;

  it('is its closure with what makes it exact', () => {
    expect(declaredUpdate(baseline(`{ closure: ${SYSTEM.closure}, generation_days: 90, update: ${update} }`))).toEqual(
      SYSTEM,
    );
  });

  it.each([
    ['it does not say what makes it exact', `{ closure: ${SYSTEM.closure}, generation_days: 90 }`],
    ['it names no system', `{ closure: none, generation_days: 90, update: ${update} }`],
  ])('is none where %s', (_, nixos) => {
    expectCode(() => declaredUpdate(baseline(nixos)), 'helper_not_declared');
  });
});
