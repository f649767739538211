// What a compromised daemon may ask of the helpers that heal by an order: as in heal-attacks.ts.
import type { ActContext } from '../../agent/helpers/judge-act.ts';
import type { HealSite } from '../support/heal-fixtures.ts';
import { uuidOf } from '../support/trust-fixtures.ts';
import { holding, OPEN_WINDOW, OTHER_SHA256, type Asked, type HealAttack } from './heal-asked.ts';

/** How an order for the AV service's runbook is bent; the runbook is disruptive and the window open where `class` says so. */
const ordered =
  (make: (site: HealSite) => ReturnType<HealSite['order']>, disruptive = false) =>
  (site: HealSite, asked: Asked): Partial<Asked> => ({
    act: site.request(site.runbooks.av, { verb: 'restart-unit', what: 'av_edr' }, site.byOrder(make(site))),
    ...(disruptive
      ? holding(asked, { content: site.content({}, 'disruptive', []), policy: site.policy(OPEN_WINDOW) })
      : {}),
  });
const withLedger =
  (ask: HealAttack['ask'], change: Partial<ActContext['ledger']>): HealAttack['ask'] =>
  (site, asked) => {
    const next = ask(site, asked);
    const context = next.context ?? asked.context;
    return { ...next, context: { ...context, ledger: { ...context.ledger, ...change } } };
  };

/** Against a helper that is asked to restart the AV service by an order. */
export const ORDERED_ATTACKS: readonly HealAttack[] = [
  {
    what: 'an order for a helper that was acted on before',
    code: 'order_replayed',
    ask: withLedger(
      ordered((site) => site.order(site.runbooks.av)),
      { orders: { epoch: 1, began: 0, floor: 7 } },
    ),
  },
  {
    what: 'a request by order that names another baseline than it brings',
    code: 'helper_not_declared',
    ask: (site, asked) => {
      const { act } = ordered((s) => s.order(s.runbooks.av))(site, asked);
      return { act: { ...act!, baseline_sha256: OTHER_SHA256 } };
    },
  },
  {
    what: 'an order for a helper of another appliance',
    code: 'order_other_appliance',
    ask: ordered((site) => site.order(site.runbooks.av, { appliance_id: 'elm-street-1' })),
  },
  {
    what: 'an order for a helper of an epoch that ended',
    code: 'order_other_epoch',
    ask: (site, asked) => ({
      ...ordered((s) => s.order(s.runbooks.av))(site, asked),
      ...holding(asked, {
        binding: site.binding({ epoch: 2, origin: `${site.trust.root.root.log_domain}/main-street-1/2` }),
      }),
    }),
  },
  {
    what: 'an order for a helper that is past its time',
    code: 'order_expired',
    ask: ordered((site) =>
      site.order(site.runbooks.av, {
        issued_at: site.now - 900,
        not_before: site.now - 900,
        expires_at: site.now - 10,
      }),
    ),
  },
  {
    what: 'an order for a helper that the timestamp key signed',
    code: 'order_signature_invalid',
    ask: (site) => ({
      act: site.request(
        site.runbooks.av,
        { verb: 'restart-unit', what: 'av_edr' },
        site.byOrder(site.order(site.runbooks.av), site.trust.keys['timestamp']!),
      ),
    }),
  },
  {
    what: 'an order for a helper whose key was revoked',
    code: 'order_key_revoked',
    ask: (site, asked) => ({
      ...ordered((s) => s.order(s.runbooks.av))(site, asked),
      ...holding(asked, { revocations: site.revocations(3, [site.trust.keys['order']!.keyid]) }),
    }),
  },
  {
    what: 'an order for a helper to run another runbook',
    code: 'helper_not_granted',
    ask: ordered((site) => site.order(site.runbooks.backup)),
  },
  {
    what: 'an order for a helper that means targets',
    code: 'helper_not_granted',
    ask: ordered((site) => site.order(site.runbooks.av, { targets: [{ id: 'pc-01' }] })),
  },
  {
    what: 'an order for a helper that is a dry run',
    code: 'helper_not_granted',
    ask: ordered((site) => site.order(site.runbooks.av, { dry_run: true })),
  },
  ...(['detect', 'rollback'] as const).map((action) => ({
    what: `an order for a helper whose action is ${action}`,
    code: 'helper_not_granted' as const,
    ask: ordered((site) => site.order(site.runbooks.av, { params: { action } })),
  })),
  {
    what: 'an order for a helper that names a machine',
    code: 'helper_not_granted',
    ask: ordered((site) =>
      site.order(site.runbooks.av, { targets: [{ id: 'appliance', pinned_identity: 'ab'.repeat(32) }] }),
    ),
  },
  {
    what: 'an order for a helper of another kind',
    code: 'order_kind_unsupported',
    ask: ordered((site) => {
      const { runbook: _, ...order } = site.order(site.runbooks.av, { kind: 'restart_agent' });
      return order;
    }),
  },
  {
    what: 'an order for a helper of too low a class',
    code: 'order_class_too_low',
    ask: ordered((site) => site.order(site.runbooks.av), true),
  },
  {
    what: 'a disruptive order for a helper without an authorisation',
    code: 'order_authorisation_missing',
    ask: ordered((site) => site.order(site.runbooks.av, { class: 'disruptive' }), true),
  },
  {
    what: 'a disruptive order for a helper that one operator authorised',
    code: 'order_authorisation_signatures',
    ask: ordered((site) => site.disruptiveOrder(site.runbooks.av, { people: ['alice'] }), true),
  },
  {
    what: 'a disruptive order for a helper whose authorisation is for another runbook',
    code: 'order_authorisation_mismatch',
    ask: ordered(
      (site) => site.disruptiveOrder(site.runbooks.av, { authorisation: { runbook: site.runbooks.backup.ref } }),
      true,
    ),
  },
  {
    what: 'a disruptive order for a helper whose authorisation was used',
    code: 'order_authorisation_used',
    ask: withLedger(
      ordered((site) => site.disruptiveOrder(site.runbooks.av), true),
      {
        used: [{ digest: 'ab'.repeat(32), id: uuidOf(0xa1), at: 1_780_315_000 }],
      },
    ),
  },
  {
    what: 'a disruptive order for a helper whose authorisation is older than the epoch',
    code: 'order_authorisation_used',
    ask: (site, asked) => {
      const next = ordered((s) => s.disruptiveOrder(s.runbooks.av), true)(site, asked);
      const lines = { ...next.context!.lines, binding: site.binding({ issued_at: site.now - 60 }) };
      return { ...next, context: { ...next.context!, lines } };
    },
  },
  {
    what: 'a disruptive order for a helper outside the window',
    code: 'order_window_closed',
    ask: (site, asked) => ({
      ...ordered((s) => s.disruptiveOrder(s.runbooks.av))(site, asked),
      ...holding(asked, { content: site.content({}, 'disruptive', []) }),
    }),
  },
  {
    what: 'a disruptive order for a helper whose clock nothing keeps',
    code: 'order_clock_unsound',
    ask: (site, asked) => {
      const next = ordered((s) => s.disruptiveOrder(s.runbooks.av), true)(site, asked);
      return { ...next, context: { ...next.context!, clock: { ...next.context!.clock, synchronised: false } } };
    },
  },
  {
    what: 'an order for a helper where the site policy has healing off',
    code: 'helper_not_granted',
    ask: (site, asked) => ({
      ...ordered((s) => s.order(s.runbooks.av))(site, asked),
      ...holding(asked, { policy: site.policy({ healing: { mode: 'off', runbooks: [] } }) }),
    }),
  },
];
