// Steps of order acceptance that judge the parsed order. Each takes values and returns how acceptance ends, or null.
import { contentState, runbookClass } from '../trust/content-list.ts';
import { classWithoutRunbook, compareClasses, requiredClass } from '../trust/order-class.ts';
import { isRootExpired } from '../trust/root-warnings.ts';
import type { Order, OrderKind } from '../wire/schemas/order.ts';
import type { OrderClass } from '../wire/schemas/primitives.ts';
import { windowState } from './maintenance-window.ts';
import { refuse, type AcceptanceContext, type Stop } from './order-verdict.ts';

/** An order lives at most 15 minutes from its `not_before`. */
export const MAX_ORDER_LIFETIME_S = 15 * 60;
/** How far above the floor a seq may lie: a stolen order key cannot use up the numbers in one go. */
export const MAX_SEQ_STEP = 10_000;

/** Kinds that change the appliance or a target as healing does; a pause of healing stops them. */
const REMEDIATING: ReadonlySet<OrderKind> = new Set(['run_runbook', 'reboot', 'update_system']);

/** The fields of a verified payload that say whom an order is for, before its schema is judged. */
export function judgeIdentity(payload: unknown, ctx: AcceptanceContext): Stop | null {
  if (typeof payload !== 'object' || payload === null) return null;
  const fields = payload as Record<string, unknown>;
  const differs = (field: string, mine: string | number): boolean =>
    typeof fields[field] === typeof mine && fields[field] !== mine;
  if (differs('partner_id', ctx.partnerId)) return refuse('order_other_partner', 'the order is for another partner');
  if (differs('site_id', ctx.siteId)) return refuse('order_other_site', 'the order is for another site');
  if (differs('appliance_id', ctx.applianceId)) {
    return refuse('order_other_appliance', 'the order is for another appliance');
  }
  return differs('epoch', ctx.epoch) ? refuse('order_other_epoch', 'the order is for another epoch of the log') : null;
}

export function judgeSeq(order: Order, ctx: AcceptanceContext): Stop | null {
  if (order.seq <= ctx.floor) {
    return refuse('order_replayed', `seq ${order.seq} is not above ${ctx.floor}, the highest decided on`);
  }
  const step = ctx.maxSeqStep ?? MAX_SEQ_STEP;
  if (order.seq > ctx.floor + step) {
    return refuse('order_seq_too_high', `seq ${order.seq} is more than ${step} above ${ctx.floor}`);
  }
  return null;
}

/** Time by T. Without T nothing is accepted; what T cannot change is judged without it. */
export function judgeTime(order: Order, ctx: AcceptanceContext): Stop | null {
  if (order.not_before < order.issued_at || order.expires_at <= order.not_before) {
    return refuse('order_times_inconsistent', 'issued_at, not_before and expires_at do not follow each other');
  }
  const limit = Math.min(MAX_ORDER_LIFETIME_S, ctx.maxLifetimeS ?? MAX_ORDER_LIFETIME_S);
  if (order.expires_at - order.not_before > limit) {
    return refuse('order_lifetime_too_long', `the order is valid for more than ${limit} s`);
  }
  const { nowT } = ctx;
  if (nowT === null) {
    return { stop: 'not_yet', code: 'order_time_unknown', sentence: 'there is no signed time in this boot yet' };
  }
  if (isRootExpired(ctx.root, nowT)) return refuse('order_root_expired', `root ${ctx.root.version} is expired`);
  if (nowT >= order.expires_at) {
    const sentence = `the order expired ${nowT - order.expires_at} s ago`;
    return { stop: 'refused', outcome: 'expired', code: 'order_expired', sentence };
  }
  if (nowT < order.not_before) {
    const sentence = `the order is valid in ${order.not_before - nowT} s`;
    return { stop: 'not_yet', code: 'order_not_yet_valid', sentence };
  }
  return null;
}

/** Class by what the order does. A runbook that is not listed has none: the next step refuses it in any case. */
export function judgeClass(order: Order, ctx: AcceptanceContext): Stop | null {
  if (!ctx.supportedKinds.has(order.kind)) {
    return refuse('order_kind_unsupported', `this agent does not carry out ${order.kind}`);
  }
  const known = order.runbook === undefined || runbookClass(ctx.content, order.runbook) !== null;
  const required = known ? requiredClass(order, ctx.content) : classWithoutRunbook(order);
  const difference = compareClasses(order.class, required);
  if (difference < 0) return refuse('order_class_too_low', `the order says ${order.class} and is ${required}`);
  if (difference > 0 && known)
    return refuse('order_class_too_high', `the order says ${order.class} and is ${required}`);
  if (ctx.readOnly === true && required !== 'read') {
    return { stop: 'not_yet', code: 'order_read_only', sentence: 'only orders of class read are taken now' };
  }
  return null;
}

/** The digest of what is to be run is in the content list in force, and the list is good for this class of work. */
export function judgeContent(order: Order, nowT: number, ctx: AcceptanceContext): Stop | null {
  if (order.kind === 'run_runbook') {
    if (order.runbook === undefined) return refuse('order_runbook_missing', 'run_runbook names no runbook');
    if (runbookClass(ctx.content, order.runbook) === null) {
      return refuse('order_runbook_not_listed', 'the runbook is not in the content list in force');
    }
  } else if (order.runbook !== undefined) {
    return refuse('order_runbook_unexpected', `${order.kind} runs no runbook`);
  }
  const state = contentState(ctx.content, nowT);
  const required = requiredClass(order, ctx.content);
  const stopped =
    (required === 'disruptive' && (state === 'expired' || state === 'lapsed')) ||
    (order.kind === 'run_runbook' && state === 'lapsed');
  return stopped ? refuse('order_content_expired', 'the content list is expired') : null;
}

/** The kill switch. What only looks (a dry run too) goes on. */
export function judgeHealing(order: Order, ctx: AcceptanceContext): Stop | null {
  if (!ctx.healingPaused || !REMEDIATING.has(order.kind) || order.dry_run) return null;
  return refuse('order_healing_paused', `healing is paused, so ${order.kind} is not done`);
}

/** Disruptive work: a sound clock and an open window, or an override that site policy allows. */
export function judgeWindow(order: Order, required: OrderClass, nowT: number, policy: SitePolicyView): Stop | null {
  if (required !== 'disruptive') return null;
  if (order.window.mode === 'override' && !policy.overrideAllowed) {
    return refuse('order_override_not_allowed', 'the site policy does not let an order leave the window aside');
  }
  if (!policy.clockSound) {
    const sentence = 'the clock is unsound: nothing disruptive is done';
    return { stop: 'deferred', code: 'order_clock_unsound', sentence, until: null };
  }
  if (order.window.mode === 'override') return null;
  const state = windowState(policy.windows, policy.timeZone, nowT);
  if (state.open) return null;
  const sentence = state.opensAt === null ? 'the site has no maintenance window' : 'the maintenance window is closed';
  return { stop: 'deferred', code: 'order_window_closed', sentence, until: state.opensAt };
}

/** What the window step looks at. */
export interface SitePolicyView {
  readonly windows: Parameters<typeof windowState>[0];
  readonly timeZone: string;
  readonly overrideAllowed: boolean;
  readonly clockSound: boolean;
}

/** Without a site policy the window is the configuration's, if it names one, and nothing may leave it aside. */
export function policyView(ctx: Pick<AcceptanceContext, 'policy' | 'clockSound' | 'localWindow'>): SitePolicyView {
  const { policy, clockSound, localWindow } = ctx;
  if (policy === null) {
    const { windows, timeZone } = localWindow ?? { windows: [], timeZone: 'UTC' };
    return { windows, timeZone, overrideAllowed: false, clockSound };
  }
  const overrideAllowed = policy.allow_disruptive_outside_window;
  return { windows: policy.windows, timeZone: policy.time_zone, overrideAllowed, clockSound };
}
