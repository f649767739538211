// What people must be told about a content list before it runs out: expiry never stops observation, and stops work step by step.
import type { ContentList } from '../wire/schemas/content.ts';
import { CONTENT_GRACE_S, contentState } from './content-list.ts';

const DAY_S = 86_400;
/** A list lives 90 days at most; who signs it hears of its end this early. */
export const CONTENT_WARNING_S = 14 * DAY_S;
/** A grant is renewed with the next list. */
export const GRANT_WARNING_S = 14 * DAY_S;

/** Beyond so many they are counted. */
const MAX_NAMED = 3;

type Grant = ContentList['grants'][number];

const grantEnds = ({ rule, runbook, not_after: until }: Grant, now: number): string => {
  const when = until <= now ? 'is over: people decide' : `ends in ${days(until - now)}`;
  return `the standing grant for rule ${rule.id} and ${runbook.id} ${when}`;
};

function manyEnd(grants: readonly Grant[], now: number): string {
  const over = grants.filter(({ not_after: until }) => until <= now).length;
  return `${grants.length} standing grants end within ${GRANT_WARNING_S / DAY_S} days, ${over} of them are over`;
}

const days = (seconds: number): string => `${Math.max(0, Math.floor(seconds / DAY_S))} days`;

/** Sentences in force at `now` (Unix seconds); none before the first list. */
export function contentWarnings(list: ContentList | null, now: number): string[] {
  if (list === null) return [];
  const { version, expires_at: end } = list;
  switch (contentState(list, now)) {
    case 'lapsed':
      return [
        `content list ${version} is expired for more than 30 days: no runbook is run; checks, evidence and upload go on`,
      ];
    case 'expired': {
      const left = days(end + CONTENT_GRACE_S - now);
      return [`content list ${version} is expired: nothing disruptive is run, and in ${left} no runbook at all`];
    }
    default: {
      const said = end - now > CONTENT_WARNING_S ? [] : [`content list ${version} expires in ${days(end - now)}`];
      const ending = list.grants.filter(({ not_after: until }) => until < end && until - now <= GRANT_WARNING_S);
      return [
        ...said,
        ...(ending.length > MAX_NAMED ? [manyEnd(ending, now)] : ending.map((one) => grantEnds(one, now))),
      ];
    }
  }
}
