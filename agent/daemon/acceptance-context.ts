// Everything that orders are judged by at this moment.
import type { AcceptanceContext } from '../guards/order-verdict.ts';
import type { Config } from '../config/keys.ts';
import type { OrderKind } from '../wire/schemas/order.ts';
import { authorisationsSeen } from '../orders/authorisations-seen.ts';
import { timeT } from '../trust/signed-time.ts';
import type { Enrolled } from './agent-state.ts';
import { clockSound } from './clock-sound.ts';
import type { DaemonContext } from './context.ts';
import { usesKnownSince } from './epoch-state.ts';
import { healingPausedUntil } from './healing-pause.ts';

/** Kinds that this version carries out; every other is refused with a code that says so. */
export const SUPPORTED_KINDS: ReadonlySet<OrderKind> = new Set([
  'run_check',
  'sync_content',
  'collect_diagnostics',
  'restart_agent',
  'set_healing',
  'rotate_device_key',
  'new_epoch',
  'run_runbook',
  'retry_credentials',
  'reboot',
  'update_system',
]);

const localWindow = (window: Config['maintenance_window']): AcceptanceContext['localWindow'] =>
  window === null ? null : { timeZone: window.time_zone, windows: [{ ...window, days: [...window.days] }] };

export function acceptanceContext(enrolled: Enrolled, context: DaemonContext): AcceptanceContext {
  const { store, clock, state } = context;
  const { identity, trust } = enrolled;
  const nowT = timeT(store.trust.signedTime(), clock.bootMs(), clock.bootId());
  return {
    root: trust.root().root,
    revokedKeyids: trust.revokedKeyids(),
    partnerId: identity.partnerId,
    siteId: identity.siteId,
    applianceId: identity.applianceId,
    epoch: identity.epoch,
    floor: store.orders.floor(identity.epoch),
    nowT,
    content: trust.content()?.value ?? null,
    policy: trust.policy()?.value ?? null,
    healingPaused: nowT !== null && (healingPausedUntil(store) ?? 0) > nowT,
    localWindow: localWindow(context.config.maintenance_window),
    clockSound: clockSound(state.findings.get('appliance/clock'), context.config.ntp_max_skew_ms),
    readOnly: state.timeWentBack || enrolled.uplink.conflict() !== null,
    usedAuthorisations: new Set(store.orders.usedAuthorisations()),
    usesKnownSince: usesKnownSince(store, identity),
    authorisationsSeen: authorisationsSeen(store),
    supportedKinds: SUPPORTED_KINDS,
    maxLifetimeS: context.config.order_ttl_s,
  };
}
