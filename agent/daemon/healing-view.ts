// What a ticket says of healing: whether it goes on by itself, what was tried, and what that changed.
import { scrubSentence } from '../evidence/scrub-sentence.ts';
import { incidentOf } from '../healing/incident-store.ts';
import type { Incident } from '../healing/incident.ts';
import { learntRules } from '../healing/learning/learnt-rules.ts';
import type { FindingView } from '../outputs/conditions.ts';
import type { Store } from '../store/open-store.ts';

type HealingView = NonNullable<FindingView['healing']>;

/** What these guards hold back goes on only when somebody does something. */
const FOR_PEOPLE: ReadonlySet<string> = new Set(['pause', 'evidence', 'clock', 'domain_controllers']);
/** What should have gone on by itself and has not for so long is told to people all the same. */
const OVERDUE_S = 3_600;
/** Lines of a story that say what was done. */
const DONE: ReadonlySet<string> = new Set([
  'healed',
  'reverted',
  'rollback_failed',
  'failed',
  'interrupted',
  'dry_run',
  'recurred',
  'ticketed',
]);
/** What went to people before anything could be tried: the finding itself says it all. */
const NOTHING_TO_SAY: ReadonlySet<string> = new Set(['mode', 'rule']);
const MAX_LINES = 6;
const MAX_LINE_CHARS = 240;

function isInHand({ state, held, nextStepAt, changedAt }: Incident, nowT: number): boolean {
  switch (state) {
    case 'acting':
    case 'verifying':
      return true;
    case 'seen':
      return nowT - changedAt < OVERDUE_S;
    case 'waiting':
      return !FOR_PEOPLE.has(held?.guard ?? '') && nowT - (nextStepAt ?? changedAt) < OVERDUE_S;
    default:
      return false;
  }
}

/** This drift is there, and healing leaves it to people. */
const isWithPeople = ({ state, seenAt }: Incident): boolean => state === 'ticketed' && seenAt.length > 0;

const OPEN: ReadonlySet<string> = new Set(['seen', 'waiting', 'acting', 'verifying']);

const ignore = (): void => undefined;

/** `nowT`: signed time; without it nothing goes on by itself. */
export function healingView(
  { incidents, settings }: Pick<Store, 'incidents' | 'settings'>,
  targetId: string,
  checkId: string,
  nowT: number | null,
): HealingView {
  const known = incidents.ofCheck(targetId, checkId).map(incidentOf);
  const learnt = learntRules({ settings });
  /** A learnt rule on trial does nothing that people do not know of. */
  const isOnTrial = (incident: Incident): boolean =>
    OPEN.has(incident.state) && learnt.get(incident.ruleSha256 ?? '')?.state === 'canary';
  const told = known.filter(({ state, held }) => state !== 'closed' && !NOTHING_TO_SAY.has(held?.guard ?? ''));
  const lines = told
    .flatMap(({ id }) => incidents.lines(id).filter(({ what }) => DONE.has(what)))
    .toSorted((a, b) => a.at - b.at)
    .slice(-MAX_LINES);
  return {
    inHand:
      nowT !== null &&
      !known.some((incident) => isWithPeople(incident) || isOnTrial(incident)) &&
      known.some((incident) => isInHand(incident, nowT)),
    tried: lines.map(({ at, sentence }) => {
      const time = new Date(at * 1_000).toISOString().replace('.000Z', 'Z');
      // Sentences of findings stand among them; as in the log, nothing of them leaves that is not known to be free of names.
      return `${time} ${scrubSentence(sentence, ignore)}`.slice(0, MAX_LINE_CHARS);
    }),
    entries: lines.flatMap(({ evidenceSeq }) => (evidenceSeq === null ? [] : [evidenceSeq])),
  };
}
