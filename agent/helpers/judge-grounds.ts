// Whether a helper may act: a standing grant or a signed order, judged with the documents, the floor and the time of the helpers
// themselves by the same guards as in the daemon. What only the daemon can know (looks, incidents, pauses) is not asked here. Pure.
import { AgentError } from '../errors/agent-error.ts';
import { HEALING_GUARDS, judgeHealing } from '../guards/judge-healing.ts';
import type { Authority, HealingRequest, HealingRun } from '../guards/healing-facts.ts';
import { healingKeys } from '../guards/healing-keys.ts';
import { DEFAULT_LIMITS } from '../guards/healing-limits.ts';
import { acceptOrder, type AcceptanceContext } from '../guards/order-acceptance.ts';
import type { Binding } from '../wire/schemas/enrolment.ts';
import type { ContentList } from '../wire/schemas/content.ts';
import type { Order, OrderKind } from '../wire/schemas/order.ts';
import type { Root } from '../wire/schemas/root.ts';
import type { SitePolicy } from '../wire/schemas/site-policy.ts';
import { ledgerAt, withOrder, withRun, withSeen, type HealLedger } from './heal-ledger.ts';
import type { HealAct } from './heal-request.ts';

/** Verified anew, with the revocations that are held now. */
export interface HealTrust {
  readonly root: Root;
  readonly revoked: ReadonlySet<string>;
  readonly content: ContentList;
  readonly policy: SitePolicy;
  readonly binding: Binding;
}

export interface GroundsContext {
  readonly trust: HealTrust;
  readonly ledger: HealLedger;
  /** T. */
  readonly now: number;
  /** Something disciplines the wall clock, and it agrees with T. */
  readonly clockSound: boolean;
  /** The check that the runbook heals. */
  readonly check: string;
  /** Services that are started or restarted, as the baseline names them. */
  readonly units: readonly string[];
}

/** `stop`: why not. The ledger is to be kept in both cases, before anything is done. */
export interface GroundsVerdict {
  readonly stop: AgentError | null;
  readonly ledger: HealLedger;
}

const SUBJECT = 'appliance';
/** What the guards of a helper are: those that values on its own side decide. */
const OWN_GUARDS = ['limits', 'journald', 'validation', 'authority', 'runs_per_day', 'clock', 'window'] as const;
const GUARDS = Object.fromEntries(OWN_GUARDS.map((name) => [name, HEALING_GUARDS[name]!]));

export function judgeGrounds(act: HealAct, context: GroundsContext): GroundsVerdict {
  const { trust, now } = context;
  const ledger = ledgerAt(context.ledger, now, trust.binding);
  if (act.grounds.kind === 'grant') {
    const { rule } = act.grounds;
    if (ledger.given_up.includes(rule.sha256)) {
      const sentence = 'the learnt rule did not hold on this appliance and was given up';
      return { stop: new AgentError('helper_not_granted', sentence, { place: 'rule' }), ledger };
    }
    const authority: Authority = { by: 'rule', ...rule, baselineSha256: act.baseline_sha256 };
    const stop = judgeGuards(act, authority, ledger, context);
    return { stop, ledger: stop === null ? withRun(ledger, act.runbook.id, now) : ledger };
  }
  const verdict = acceptOrder(act.grounds.envelope, acceptanceContext(context, ledger, 'run_runbook'));
  if (verdict.verdict !== 'accepted') {
    const seen = verdict.verdict === 'deferred' ? withSeen(ledger, verdict.authorisationDigest, now) : ledger;
    return { stop: new AgentError(verdict.code, verdict.sentence, { place: 'order' }), ledger: seen };
  }
  const { order } = verdict;
  const stop =
    judgeAge(order, ledger) ??
    judgeFit(act, order) ??
    judgeGuards(
      act,
      {
        by: 'order',
        class: order.class,
        dryRun: order.dry_run,
        leavesWindow: order.window.mode === 'override',
      },
      ledger,
      context,
    );
  if (stop !== null) return { stop, ledger };
  const used = { seq: order.seq, digest: verdict.authorisationDigest, id: verdict.authorisationId, at: now };
  return { stop: null, ledger: withOrder(withRun(ledger, act.runbook.id, now), used) };
}

/** An order from before the helpers began to remember may have been carried out already. */
export function judgeAge({ issued_at }: Pick<Order, 'issued_at'>, { remembers_from }: HealLedger): AgentError | null {
  if (issued_at >= remembers_from) return null;
  const sentence = 'the order is older than what the helpers remember, so it may have been carried out already';
  return new AgentError('order_replayed', sentence, { place: 'order' });
}

/** The order is for this runbook, on the appliance itself, and means that it is carried out: not looked at, not taken back. */
function judgeFit(
  act: HealAct,
  { runbook, targets, params, dry_run }: Pick<Order, 'runbook' | 'targets' | 'params' | 'dry_run'>,
): AgentError | null {
  const refuse = (sentence: string): AgentError => new AgentError('helper_not_granted', sentence, { place: 'order' });
  const isThis =
    runbook?.id === act.runbook.id && runbook.version === act.runbook.version && runbook.sha256 === act.runbook.sha256;
  if (!isThis) return refuse('the order is for another runbook');
  if (targets.some(({ id, pinned_identity: pinned }) => id !== SUBJECT || pinned !== undefined)) {
    return refuse('the order is for targets, not for the appliance');
  }
  if ((params['action'] ?? 'remediate') !== 'remediate') return refuse('the order is not to change anything');
  return dry_run ? refuse('the order is a dry run: nothing may be changed') : null;
}

/** Orders of this one kind, judged as the helpers can. */
export function acceptanceContext(
  { trust, now, clockSound }: Pick<GroundsContext, 'trust' | 'now' | 'clockSound'>,
  ledger: HealLedger,
  kind: OrderKind,
): AcceptanceContext {
  const { root, revoked, content, policy, binding } = trust;
  return {
    root,
    revokedKeyids: revoked,
    partnerId: binding.partner_id,
    siteId: binding.site_id,
    applianceId: binding.appliance_id,
    epoch: binding.epoch,
    floor: ledger.orders?.floor ?? 0,
    // A helper sees few of the orders, so its floor lags; the daemon holds the general limit.
    maxSeqStep: Number.MAX_SAFE_INTEGER,
    nowT: now,
    content,
    policy,
    // A pause reaches the daemon alone; what stops the helpers is the mode in the site policy.
    healingPaused: false,
    clockSound,
    usedAuthorisations: new Set(ledger.used.flatMap(({ digest, id }) => [digest, id])),
    usesKnownSince: ledger.orders?.began,
    supportedKinds: new Set([kind]),
    authorisationsSeen: new Map(ledger.seen.map(({ digest, at }) => [digest, at])),
  };
}

function judgeGuards(
  act: HealAct,
  authority: Authority,
  ledger: HealLedger,
  context: GroundsContext,
): AgentError | null {
  const { trust, now, clockSound } = context;
  const subject = {
    targetId: SUBJECT,
    checkId: context.check,
    condition: authority.by === 'rule' ? authority.id : 'unmatched',
    runbookId: act.runbook.id,
  };
  const request: HealingRequest = {
    subject,
    runbook: act.runbook,
    severity: 'critical',
    roles: { declared: SUBJECT, detected: SUBJECT },
    units: context.units,
    authority,
    limits: DEFAULT_LIMITS,
  };
  const verdict = judgeHealing(
    request,
    {
      now,
      clockSound,
      policy: trust.policy,
      content: trust.content,
      localWindow: null,
      localMode: 'on',
      pausedUntil: { byOrder: null, byHand: null },
      memory: 'whole',
      trial: null,
      evidenceReady: true,
      seenAt: [],
      recurredAt: [],
      attemptsFrom: 0,
      deferredSince: null,
      runs: ledger.runs.map(({ runbook, at }) => runOf({ ...subject, runbookId: runbook }, at)),
      siteBreakers: new Map(),
      blockedRunbooks: new Set(),
    },
    GUARDS,
  );
  switch (verdict.verdict) {
    case 'act':
      return null;
    case 'dry_run':
      return new AgentError('helper_not_granted', 'the site policy lets this runbook run dry only');
    case 'wait':
      return new AgentError('helper_not_now', verdict.sentence, { place: verdict.guard });
    case 'people':
    case 'refuse': {
      const code = verdict.guard === 'journald' ? 'helper_unit_refused' : 'helper_not_granted';
      return new AgentError(code, verdict.sentence, { place: verdict.guard });
    }
  }
}

function runOf(subject: HealingRequest['subject'], at: number): HealingRun {
  const { run, incident, target } = healingKeys(subject);
  return {
    key: run,
    incidentKey: incident,
    targetKey: target,
    runbookId: subject.runbookId,
    domainController: false,
    startedAt: at,
    endedAt: at,
    outcome: 'success',
  };
}
