// Why healing did or did not act, and when it will next, in plain words. Pure.
import { STABLE_S, type Incident, type StoryLine } from './incident.ts';

export interface Explanation {
  readonly why: string;
  readonly next: string;
  /** Unix seconds of the next step; null where something is waited for that has no time. */
  readonly nextAt: number | null;
}

const lastOf = (story: readonly StoryLine[], ...what: string[]): StoryLine | undefined =>
  story.findLast((line) => what.includes(line.what));

/** `story`: oldest line first. */
export function explainIncident(incident: Incident, story: readonly StoryLine[]): Explanation {
  const { state, held, nextStepAt, passingSince } = incident;
  const closes = passingSince === null ? null : passingSince + STABLE_S;
  const closing = {
    next: closes === null ? 'it is closed when it has passed for 24 hours' : 'it is closed then, if it goes on passing',
    nextAt: closes,
  };
  switch (state) {
    case 'seen': {
      const tried = lastOf(story, 'reverted', 'failed', 'interrupted', 'recurred', 'rearmed');
      const why = tried === undefined ? 'drift was seen, and nothing was decided yet' : `last: ${tried.sentence}`;
      return { why, next: 'the guards are asked at the next look', nextAt: nextStepAt };
    }
    case 'waiting': {
      const why = held === null ? 'it waits' : `the guard ${held.guard} holds it back: ${held.sentence}`;
      const next = nextStepAt === null ? 'it is judged again when that has ended' : 'it is judged again then';
      return { why, next, nextAt: nextStepAt };
    }
    case 'acting':
      return {
        why: lastOf(story, 'acting')?.sentence ?? 'a runbook is run',
        next: 'a look of its own follows',
        nextAt: null,
      };
    case 'verifying':
      return { why: 'a runbook was run', next: 'whether it holds is being looked at', nextAt: null };
    case 'healed':
      return { why: 'a runbook was run, and a look of its own found it in order', ...closing };
    case 'passing':
      return { why: 'it passes again, and healing did not do that', ...closing };
    case 'ticketed': {
      const last = lastOf(story, 'ticketed', 'dry_run', 'rollback_failed');
      const guard = held === null ? '' : `the guard ${held.guard}: `;
      const next = `people decide; healing does nothing until its rule changes or they give it back (order set_healing, action rearm, incident ${incident.id})`;
      return { why: `it is with people: ${guard}${last?.sentence ?? 'a person has to look'}`, next, nextAt: closes };
    }
    case 'waived':
      return {
        why: lastOf(story, 'waived')?.sentence ?? 'it is waived',
        next: 'it is seen again when the waiver ends',
        nextAt: null,
      };
    case 'closed':
      return { why: 'it passed for 24 hours', next: 'drift of the same kind opens it again', nextAt: null };
  }
}
