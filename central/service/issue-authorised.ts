// While an authorisation is open and the window of its site too, the appliance has one order that embeds it, until there is a
// result: so nobody has to sign at night, and no order lives longer than 15 minutes.
import { isAgentError } from '../../agent/errors/agent-error.ts';
import { windowState } from '../../agent/guards/maintenance-window.ts';
import { maxLineBytes, parseDocument } from '../../agent/wire/document.ts';
import { parseEnvelope, toEmbedded } from '../../agent/wire/dsse.ts';
import type { AuthorisationRow } from '../store/authorisation-table.ts';
import type { BindingRow } from '../store/appliance-table.ts';
import type { ReportRow } from '../store/order-table.ts';
import type { Central } from './central.ts';
import { issueOrder } from './issue-order.ts';

export type AuthorisationState = 'open' | 'ordered' | 'done' | 'refused' | 'withdrawn' | 'expired';

/** Refusals after which a later order may still be accepted. */
const PASSING: ReadonlySet<string> = new Set([
  'order_expired',
  'order_window_closed',
  'order_clock_unsound',
  'order_healing_paused',
  'order_authorisation_delay',
  'order_read_only',
]);
const PASSING_OUTCOMES: ReadonlySet<string> = new Set(['deferred', 'expired']);

/** What has become of an authorisation, by what the appliance reported of the orders that embed it. */
export function authorisationState(
  { store, now }: Pick<Central, 'store' | 'now'>,
  row: AuthorisationRow,
): { state: AuthorisationState; last: ReportRow | null } {
  const digests = store.authorisations.orders(row.authorisation_id);
  const reports = digests.flatMap((digest) => store.orders.reports(row.appliance_id, digest));
  const final = reports.find((report) => {
    if (report.state === 'refused') return !PASSING.has(report.code);
    return report.state === 'result' && !PASSING_OUTCOMES.has(report.outcome);
  });
  const last = final ?? reports.at(-1) ?? null;
  if (final !== undefined) return { state: final.state === 'refused' ? 'refused' : 'done', last };
  if (row.withdrawn_at !== null) return { state: 'withdrawn', last };
  if (row.not_after <= now()) return { state: 'expired', last };
  return { state: digests.length === 0 ? 'open' : 'ordered', last };
}

/** Issues what is due for one appliance; called in each of its check-ins. */
export function issueAuthorised(central: Pick<Central, 'store' | 'trust' | 'keys' | 'now'>, binding: BindingRow): void {
  const { store } = central;
  const now = central.now();
  for (const row of store.authorisations.open(binding.appliance_id, now)) {
    const { state } = authorisationState(central, row);
    if (state !== 'open' && state !== 'ordered') continue;
    const under = new Set(store.authorisations.orders(row.authorisation_id));
    if (store.orders.alive(binding.appliance_id, now).some((digest) => under.has(digest))) continue;
    const envelope = parseEnvelope(row.line, { maxBytes: maxLineBytes('authorisation') });
    const value = parseDocument('authorisation', envelope.payload);
    if (value.window.mode === 'require' && !isWindowOpen(central, binding.site_id, now)) continue;
    try {
      const { digest } = issueOrder(central, {
        applianceId: binding.appliance_id,
        kind: value.kind,
        params: value.params,
        targets: value.targets,
        window: value.window,
        authorisation: toEmbedded(envelope),
        issuedBy: `authorisation ${row.authorisation_id}`,
        ...(value.runbook === undefined ? {} : { runbook: value.runbook }),
      });
      store.authorisations.addOrder(row.authorisation_id, digest);
    } catch (error) {
      // A backlog or a revoked key: the check-in is answered all the same, and it is tried again with the next.
      if (!isAgentError(error)) throw error;
    }
  }
}

/** Without a policy there is no window. */
function isWindowOpen({ trust }: Pick<Central, 'trust'>, siteId: string, now: number): boolean {
  const policy = trust.policy(siteId)?.value ?? null;
  return policy !== null && windowState(policy.windows, policy.time_zone, now).open;
}
