// One incident: drift of one (target, check, condition) from first sight to closed, as a state machine (docs/healing-incidents.md).
// Pure: an event and a state give the next state and a line of the story; what does not follow is refused as a defect.
import { AgentError } from '../errors/agent-error.ts';
import type { HealingVerdict } from '../guards/judge-healing.ts';
import type { Severity } from '../wire/schemas/primitives.ts';

export const INCIDENT_STATES = [
  /** Drift is there; nothing was decided yet, or the last attempt failed and the next is to be judged. */
  'seen',
  /** A guard holds it back; it is judged again by itself. */
  'waiting',
  /** The intent is written; the runbook runs. */
  'acting',
  /** The change is made; whether it holds is being looked at. */
  'verifying',
  /** Verified by a look of its own. */
  'healed',
  /** It passes again, and healing did not do that. */
  'passing',
  /** With people. */
  'ticketed',
  /** Known and accepted for a while by signed policy. */
  'waived',
  /** It passed for 24 hours. Drift of the same kind opens it again. */
  'closed',
] as const;
export type IncidentState = (typeof INCIDENT_STATES)[number];

/** Passing for this long closes an incident. */
export const STABLE_S = 86_400;
/** Recurrences that are kept: more than any flap limit counts within its time. */
const MAX_RECURRENCES = 100;

/** Times are Unix seconds of signed time. */
export interface Incident {
  readonly id: string;
  readonly targetId: string;
  readonly checkId: string;
  /** Id of the rule that fits, or `unmatched`. */
  readonly condition: string;
  readonly state: IncidentState;
  readonly severity: Severity;
  readonly openedAt: number;
  readonly openedSeq: number | null;
  readonly changedAt: number;
  /** First and last look with nothing but drift in between; what the guard `two_looks` is asked about. */
  readonly seenAt: readonly number[];
  readonly recurredAt: readonly number[];
  readonly passingSince: number | null;
  /** Failed runs before then do not count. */
  readonly attemptsFrom: number;
  readonly deferredSince: number | null;
  readonly nextStepAt: number | null;
  /** What the guards said last, where they held it back. */
  readonly held: { readonly guard: string; readonly sentence: string } | null;
  /** Of the rule that was chosen last; null where none fits. */
  readonly ruleSha256: string | null;
}

export type IncidentEvent = { readonly at: number; readonly seq?: number } & (
  | { readonly event: 'drift'; readonly severity: Severity; readonly sentence: string; readonly rule?: string | null }
  /** `sentence`: where the check still fails, but in another way. */
  | { readonly event: 'pass'; readonly sentence?: string }
  /** The check could not judge: no pass, and no drift either. */
  | { readonly event: 'unknown'; readonly sentence: string }
  | { readonly event: 'waived'; readonly sentence: string }
  | { readonly event: 'judged'; readonly verdict: HealingVerdict; readonly runbook: string | null }
  | { readonly event: 'intent'; readonly runbook: string }
  | { readonly event: 'changed' }
  /** `changes`: what the run changed and undid, as its entry says it. */
  | {
      readonly event: 'result';
      readonly outcome: 'healed' | 'reverted' | 'rollback_failed' | 'failed' | 'interrupted';
      readonly changes?: readonly string[];
    }
  /** The rule was changed, or people gave it back to healing. `byPeople`: by an order, so that it may also have come back often. */
  | { readonly event: 'rearmed'; readonly sentence: string; readonly byPeople?: true }
  /** Time went by. */
  | { readonly event: 'tick' }
);

export interface StoryLine {
  readonly at: number;
  readonly what: string;
  readonly sentence: string;
  readonly evidenceSeq: number | null;
}

export interface Step {
  readonly incident: Incident;
  /** Null where nothing happened that is worth a line. */
  readonly line: StoryLine | null;
}

export interface IncidentKey {
  readonly targetId: string;
  readonly checkId: string;
  readonly condition: string;
}

/** First sight. */
export function openIncident(
  id: string,
  key: IncidentKey,
  first: Omit<Extract<IncidentEvent, { event: 'drift' }>, 'event'>,
): Step {
  const { at, severity, sentence, seq, rule = null } = first;
  const incident: Incident = {
    ...{ id, ...key, state: 'seen', severity, openedAt: at, openedSeq: seq ?? null, changedAt: at, seenAt: [at] },
    ...{ recurredAt: [], passingSince: null, attemptsFrom: 0, deferredSince: null, nextStepAt: null, held: null },
    ruleSha256: rule,
  };
  return { incident, line: { at, what: 'seen', sentence, evidenceSeq: seq ?? null } };
}

const QUIET: readonly IncidentState[] = ['healed', 'passing', 'closed'];
const OPEN: readonly IncidentState[] = ['seen', 'waiting'];
const UNDER_WAY: readonly IncidentState[] = ['acting', 'verifying'];

/** @throws internal where the event does not follow the state: whoever calls has lost track, and must not go on */
export function stepIncident(incident: Incident, event: IncidentEvent): Step {
  const { state } = incident;
  const at = Math.max(event.at, incident.changedAt);
  const evidenceSeq = event.seq ?? null;
  const to = (next: IncidentState, what: string, sentence: string, more: Partial<Incident> = {}): Step => ({
    incident: { ...incident, state: next, changedAt: at, ...more },
    line: { at, what, sentence, evidenceSeq },
  });
  const silent = (more: Partial<Incident> = {}): Step => ({ incident: { ...incident, ...more }, line: null });
  const only = (allowed: readonly IncidentState[]): void => {
    if (allowed.includes(state)) return;
    throw new AgentError('internal', `an incident that is ${state} cannot take ${event.event}`, {
      details: { incident: incident.id, state, event: event.event },
    });
  };
  const fresh = { passingSince: null, deferredSince: null, nextStepAt: null, held: null };

  switch (event.event) {
    case 'drift': {
      // Whether it holds is for the verification to say, whose looks these are.
      if (UNDER_WAY.includes(state)) return silent();
      const ruleSha256 = event.rule === undefined ? incident.ruleSha256 : event.rule;
      const seen = { severity: event.severity, ruleSha256 };
      if (QUIET.includes(state)) {
        const recurredAt = [...incident.recurredAt, at].slice(-MAX_RECURRENCES);
        const more = { ...fresh, ...seen, seenAt: [at], recurredAt };
        // A closed one begins anew; one that was not stable yet goes on with its failed runs.
        const attemptsFrom = state === 'closed' ? at : incident.attemptsFrom;
        return to('seen', 'recurred', event.sentence, { ...more, attemptsFrom });
      }
      if (state === 'waived') return to('seen', 'seen', event.sentence, { ...fresh, ...seen, seenAt: [at] });
      const first = incident.seenAt[0];
      const seenAt = first === undefined ? [at] : [first, at];
      return silent({ ...seen, seenAt, passingSince: null });
    }
    case 'pass': {
      if (UNDER_WAY.includes(state)) return silent();
      if (state === 'ticketed' || QUIET.includes(state)) {
        return silent({ seenAt: [], passingSince: incident.passingSince ?? at });
      }
      return to('passing', 'passing', event.sentence ?? 'it passes again; healing did not do that', {
        ...fresh,
        seenAt: [],
        passingSince: at,
      });
    }
    case 'unknown':
      // Silence proves nothing: the time until closing begins anew.
      if (state === 'closed' || incident.passingSince === null) return silent();
      return to(state, 'unknown', event.sentence, { passingSince: null });
    case 'waived':
      if (UNDER_WAY.includes(state) || state === 'waived') return silent();
      return to('waived', 'waived', event.sentence, { ...fresh, seenAt: [] });
    case 'judged': {
      only(OPEN);
      const { verdict } = event;
      if (verdict.verdict === 'act') return silent({ held: null, nextStepAt: null });
      if (verdict.verdict === 'dry_run') {
        const sentence = `dry run: ${event.runbook ?? 'nothing'} would have been run`;
        return to('ticketed', 'dry_run', sentence, { ...fresh, held: { guard: 'mode', sentence } });
      }
      const held = { guard: verdict.guard, sentence: verdict.sentence };
      if (verdict.verdict !== 'wait') return to('ticketed', 'ticketed', verdict.sentence, { ...fresh, held });
      const isDeferred = verdict.guard === 'window';
      const more = {
        held,
        nextStepAt: verdict.until,
        deferredSince: incident.deferredSince ?? (isDeferred ? at : null),
      };
      // The same answer again is no news.
      if (state === 'waiting' && incident.held?.guard === verdict.guard) return silent(more);
      return to('waiting', isDeferred ? 'deferred' : 'waiting', verdict.sentence, more);
    }
    case 'intent':
      only(OPEN);
      return to('acting', 'acting', `${event.runbook} is run`, fresh);
    case 'changed':
      only(['acting']);
      return to('verifying', 'verifying', 'the runbook ended; whether it holds is looked at');
    case 'result':
      return resultOf(event, incident, only, to, at);
    case 'rearmed':
      if (state !== 'ticketed' && !OPEN.includes(state)) return silent({ attemptsFrom: at });
      // What was seen before people looked at it says nothing about now.
      return to('seen', 'rearmed', event.sentence, {
        ...{ ...fresh, attemptsFrom: at, seenAt: [] },
        recurredAt: event.byPeople === true ? [] : incident.recurredAt,
      });
    case 'tick': {
      const since = incident.passingSince;
      if (state === 'closed' || UNDER_WAY.includes(state) || since === null || at - since < STABLE_S) return silent();
      return to('closed', 'closed', 'it passed for 24 hours', { nextStepAt: null, held: null });
    }
  }
}

/** Of what was changed so much is said in a line. */
const MAX_CHANGES_CHARS = 400;

function withChanges(sentence: string, changes: readonly string[] = []): string {
  if (changes.length === 0) return sentence;
  const all = changes.join('; ');
  return `${sentence}: ${all.length <= MAX_CHANGES_CHARS ? all : `${all.slice(0, MAX_CHANGES_CHARS - 1)}…`}`;
}

function resultOf(
  { outcome, changes }: Extract<IncidentEvent, { event: 'result' }>,
  incident: Incident,
  only: (allowed: readonly IncidentState[]) => void,
  to: (next: IncidentState, what: string, sentence: string, more?: Partial<Incident>) => Step,
  at: number,
): Step {
  const said = (sentence: string): string => withChanges(sentence, changes);
  switch (outcome) {
    case 'healed':
      // Never from `acting`: what was not looked at is not healed.
      only(['verifying']);
      return to('healed', 'healed', said('a look of its own found it in order'), { seenAt: [], passingSince: at });
    case 'reverted':
      only(UNDER_WAY);
      return to('seen', 'reverted', said('it did not hold and was rolled back'), { seenAt: incident.seenAt });
    case 'rollback_failed':
      only(UNDER_WAY);
      return to('ticketed', 'rollback_failed', said('it did not hold, and rolling it back failed'));
    case 'failed':
      only(UNDER_WAY);
      return to('seen', 'failed', said('the run failed'));
    case 'interrupted':
      only(UNDER_WAY);
      return to('seen', 'interrupted', 'the run was cut off; what it did is looked at first', { seenAt: [] });
  }
}
