// A month of healing on a simulated site: looks, incidents, guards and actions as they belong together, without processes or time. It
// stands in for the daemon, which lives through such a month elsewhere (test/support/month); guards and incidents are the agent's own.
import type { HealingRun } from '../../../agent/guards/healing-facts.ts';
import { healingKeys } from '../../../agent/guards/healing-keys.ts';
import { DEFAULT_LIMITS } from '../../../agent/guards/healing-limits.ts';
import { judgeHealing, HEALING_GUARDS } from '../../../agent/guards/judge-healing.ts';
import { afterNeed, SITE_BREAKER_CLOSED, type SiteBreaker } from '../../../agent/guards/site-breaker.ts';
import { openIncident, stepIncident, type Incident, type IncidentEvent } from '../../../agent/healing/incident.ts';
import { content, policy, RULE } from '../../support/healing-fixtures.ts';
import {
  BEGIN,
  befall,
  comesBackAfter,
  CONDITIONS,
  hosts,
  MONTH_S,
  randomOf,
  STEP_S,
  weatherOf,
  type Condition,
  type Host,
} from './world.ts';
import { judgeVerify, type VerifyLook } from './verify-looks.ts';

export interface LogEntry {
  readonly at: number;
  readonly what:
    | 'drift'
    | 'confirmed'
    | 'pass'
    | 'intent'
    | 'healed'
    | 'reverted'
    | 'rollback_failed'
    | 'interrupted'
    | 'recurred'
    | 'closed'
    | 'people'
    | 'reset';
  readonly target: string;
  readonly condition: string;
}

export interface Month {
  readonly log: readonly LogEntry[];
  readonly hosts: readonly Host[];
  readonly incidents: readonly Incident[];
  readonly weather: ReturnType<typeof weatherOf>;
  readonly end: number;
}

/** Nightly, 22:00 to 04:00 UTC. */
const POLICY = {
  ...policy,
  windows: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const, start: '22:00', end: '04:00' }].map(
    (w) => ({ ...w, days: [...w.days] }),
  ),
};
const DRY = { ...POLICY, healing: { ...POLICY.healing, mode: 'dry_run' as const } };
const LIST = {
  ...content,
  issued_at: BEGIN - 86_400,
  expires_at: BEGIN + 60 * 86_400,
  grants: content.grants.map((g) => ({ ...g, not_after: BEGIN + 60 * 86_400 })),
};
/** Of the rule of every condition. The cool-down is long enough to be seen in steps. */
export const LIMITS = { ...DEFAULT_LIMITS, cooldownS: 1_800 };
const TIMES = { withinS: 2 * STEP_S, stableForS: STEP_S };
const BELIEVED = { verdict: 'healed' } as const;
const PEOPLE_COME_S = 24 * 3_600;

interface Action {
  readonly host: Host;
  readonly condition: Condition;
  readonly run: HealingRun;
  readonly changedAt: number;
  readonly looks: VerifyLook[];
  crashedAt: number | null;
}

/** What keeps healing honest beside the list of guards; each can be left out, to see what happens without it. */
export type Beside = 'dry_run' | 'verify';

export function runMonth(
  seed: number,
  guards: typeof HEALING_GUARDS = HEALING_GUARDS,
  without: Beside | null = null,
): Month {
  const random = randomOf(seed);
  const all = hosts();
  const weather = weatherOf(random, seed);
  const log: LogEntry[] = [];
  const incidents = new Map<string, Incident>();
  const ticketedAt = new Map<string, number>();
  const breakers = new Map<string, SiteBreaker>();
  const blocked = new Map<string, number>();
  let runs: HealingRun[] = [];
  let actions: Action[] = [];

  const sameLooks = new Map<string, number>();
  const note = (at: number, what: LogEntry['what'], host: Host, condition: Condition): void => {
    if (what !== 'drift' && what !== 'confirmed') sameLooks.delete(`${host.id} ${condition.id}`);
    log.push({ at, what, target: host.id, condition: condition.id });
  };
  const step = (key: string, event: IncidentEvent): void => {
    const { incident } = stepIncident(incidents.get(key)!, event);
    incidents.set(key, incident);
    if (incident.state !== 'ticketed') ticketedAt.delete(key);
    else if (!ticketedAt.has(key)) ticketedAt.set(key, event.at);
  };
  const settle = (action: Action, outcome: 'success' | 'reverted' | 'failed'): void => {
    runs = runs.map((run) => (run === action.run ? { ...run, endedAt: now, outcome } : run));
    actions = actions.filter((other) => other !== action);
  };
  let now = BEGIN;

  /** Drift that two looks made one: its runbook is needed from now on. */
  function need(host: Host, condition: Condition): void {
    note(now, 'confirmed', host, condition);
    const { id } = condition.runbook;
    breakers.set(id, afterNeed(breakers.get(id) ?? SITE_BREAKER_CLOSED, host.id, now));
  }

  function look(host: Host, condition: Condition): void {
    const key = `${host.id} ${condition.id}`;
    const isDrift = host.drift.has(condition.id) || (condition.id === 'av-off' && host.drift.has('blip'));
    const known = incidents.get(key);
    if (now < host.offUntil) {
      if (known !== undefined) step(key, { at: now, event: 'unknown', sentence: 'it is off' });
      return;
    }
    if (!isDrift) {
      if (known === undefined || known.state === 'closed') return;
      if (known.passingSince === null) note(now, 'pass', host, condition);
      step(key, { at: now, event: 'pass' });
      step(key, { at: now, event: 'tick' });
      if (incidents.get(key)!.state === 'closed') note(now, 'closed', host, condition);
      return;
    }
    // The third look of the same drift is as good as the hundredth.
    const looks = sameLooks.get(key) ?? 0;
    sameLooks.set(key, looks + 1);
    if (looks < 3) note(now, 'drift', host, condition);
    const drift = { at: now, event: 'drift', severity: 'high', sentence: 'it is wrong' } as const;
    if (known === undefined) {
      const ids = { targetId: host.id, checkId: condition.checkId, condition: condition.id };
      incidents.set(key, openIncident(key, ids, drift).incident);
    } else {
      step(key, drift);
      if (incidents.get(key)!.recurredAt.length > known.recurredAt.length) note(now, 'recurred', host, condition);
      if (known.seenAt.length === 1 && incidents.get(key)!.seenAt.length === 2) need(host, condition);
    }
  }

  function judge(host: Host, condition: Condition): void {
    const key = `${host.id} ${condition.id}`;
    const incident = incidents.get(key);
    if (incident === undefined || !['seen', 'waiting'].includes(incident.state) || now < host.offUntil) return;
    // What has a date is judged again then, unless the drift is new.
    if (incident.nextStepAt !== null && now < incident.nextStepAt) return;
    const sky = weather(now);
    const runbook = sky.bytesExchanged ? { ...condition.runbook, sha256: 'ee'.repeat(32) } : condition.runbook;
    const subject = { targetId: host.id, checkId: condition.checkId, condition: condition.id, runbookId: runbook.id };
    const role = host.domainController ? 'domain_controller' : 'workstation';
    const units = sky.badRule ? ['systemd-journald.service'] : [];
    const verdict = judgeHealing(
      {
        subject,
        runbook,
        severity: 'high',
        roles: { declared: role, detected: role },
        units,
        authority: RULE,
        limits: LIMITS,
      },
      {
        ...{
          now,
          clockSound: sky.clockSound,
          policy: sky.dryRun && without !== 'dry_run' ? DRY : POLICY,
          localWindow: null,
          localMode: 'on',
        },
        content: { ...LIST, ...(sky.grants ? {} : { grants: [] }), ...(sky.listExpired ? { expires_at: now } : {}) },
        pausedUntil: { byOrder: sky.pausedUntil, byHand: null },
        memory: sky.memoryWhole ? 'whole' : 'lost',
        trial:
          sky.trialOn === null || condition.id !== 'av-old'
            ? null
            : { state: 'canary', targetId: sky.trialOn, until: now + STEP_S, isTold: true },
        evidenceReady: sky.logTakesEntries,
        ...{ seenAt: incident.seenAt, recurredAt: incident.recurredAt },
        ...{ attemptsFrom: incident.attemptsFrom, deferredSince: incident.deferredSince },
        ...{ runs, siteBreakers: breakers, blockedRunbooks: new Set(blocked.keys()) },
      },
      guards,
    );
    step(key, { at: now, event: 'judged', verdict, runbook: runbook.id });
    if (verdict.verdict !== 'act') return;
    if (sky.logTakesEntries) note(now, 'intent', host, condition);
    step(key, { at: now, event: 'intent', runbook: runbook.id });
    const keys = healingKeys(subject);
    const run: HealingRun = {
      ...{ key: keys.run, incidentKey: keys.incident, targetKey: keys.target, runbookId: runbook.id },
      ...{ domainController: host.domainController, startedAt: now, endedAt: null, outcome: null },
    };
    runs = [...runs, run];
    const until = now + 2 * STEP_S;
    const { disruptive } = condition;
    host.journal.push({
      at: now,
      until,
      target: host.id,
      condition: condition.id,
      sha256: runbook.sha256,
      disruptive,
      units,
    });
    const crashedAt = random() < 0.08 ? now + STEP_S : null;
    actions.push({ host, condition, run, changedAt: until, looks: [], crashedAt });
  }

  function advance(action: Action): void {
    const { host, condition } = action;
    const key = `${host.id} ${condition.id}`;
    if (action.crashedAt !== null) {
      // The agent is killed and comes back six hours later: the run has no result until then.
      if (now < action.crashedAt + 6 * 3_600) return;
      note(now, 'interrupted', host, condition);
      step(key, { at: now, event: 'result', outcome: 'interrupted' });
      settle(action, 'failed');
      return;
    }
    if (now < action.changedAt) return;
    const isHeldBack = host.trait === 'never_holds' || host.trait === 'rollback_fails';
    if (action.looks.length === 0) {
      step(key, { at: now, event: 'changed' });
      if (!isHeldBack || now < host.quietUntil) host.drift.delete(condition.id);
    }
    const elapsed = now - action.changedAt;
    const result = now < host.offUntil ? 'unknown' : host.drift.has(condition.id) ? 'fail' : 'pass';
    action.looks.push({ atS: elapsed, readAtS: elapsed, result });
    if (result !== 'unknown') host.looks.push({ at: now, condition: condition.id, good: result === 'pass' });
    // What says of itself that it succeeded is believed, without verification.
    const verdict = without === 'verify' ? BELIEVED : judgeVerify(TIMES, action.looks, elapsed);
    if (verdict.verdict === 'look') return;
    if (verdict.verdict === 'healed') {
      note(now, 'healed', host, condition);
      step(key, { at: now, event: 'result', outcome: 'healed' });
      settle(action, 'success');
      const back = comesBackAfter(host, now);
      if (back !== null) host.again.set(condition.id, now + back);
      return;
    }
    const outcome = host.trait === 'rollback_fails' && random() < 0.5 ? 'rollback_failed' : 'reverted';
    note(now, outcome, host, condition);
    if (outcome === 'rollback_failed') blocked.set(condition.runbook.id, now);
    step(key, { at: now, event: 'result', outcome });
    settle(action, outcome === 'reverted' ? 'reverted' : 'failed');
  }

  /** A day after its ticket somebody puts a machine in order and vouches for it; half a day later somebody closes a breaker. */
  function people(): void {
    for (const [key, at] of ticketedAt) {
      if (now - at < PEOPLE_COME_S) continue;
      const [id, conditionId] = key.split(' ');
      const host = all.find((one) => one.id === id)!;
      const condition = CONDITIONS.find((one) => one.id === conditionId)!;
      host.drift.delete(condition.id);
      host.again.delete(condition.id);
      host.quietUntil = now + 2 * 86_400;
      runs = runs.filter((run) => run.outcome === null || !run.targetKey.includes(`"${id}"`));
      note(now, 'people', host, condition);
      step(key, { at: now, event: 'rearmed', sentence: 'people put it in order' });
    }
    for (const [id, state] of breakers) {
      if (state.openedAt === null || now - state.openedAt < PEOPLE_COME_S / 2) continue;
      breakers.set(id, SITE_BREAKER_CLOSED);
      log.push({ at: now, what: 'reset', target: 'site', condition: id });
    }
    for (const [id, at] of blocked) {
      if (now - at < PEOPLE_COME_S) continue;
      blocked.delete(id);
      log.push({ at: now, what: 'reset', target: 'runbook', condition: id });
    }
  }

  for (; now < BEGIN + MONTH_S; now += STEP_S) {
    befall(all, now, random);
    for (const action of [...actions]) advance(action);
    for (const host of all) for (const condition of CONDITIONS) look(host, condition);
    for (const host of all) for (const condition of CONDITIONS) judge(host, condition);
    for (const host of all) host.drift.delete('blip');
    people();
  }
  return { log, hosts: all, incidents: [...incidents.values()], weather, end: now };
}

export const LISTED_SHA256: ReadonlySet<string> = new Set(content.files.map((file) => file.sha256));
