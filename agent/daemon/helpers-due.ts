// Which helpers have something to do. Pure. A helper that refused is asked again after a pause only: it has a limit of its own.
import type { HelperResult } from '../helpers/helper-result.ts';
import { MAX_TIME_DIFFERENCE_S } from '../helpers/judge-time.ts';
import type { HelperVerb } from '../helpers/verbs.ts';

/** Between two starts of one helper without news. */
const AGAIN_AFTER_MS = 15 * 60_000;
/** Where a start came to nothing: a first pause, twice as long each time, up to the one above. */
const UNANSWERED_AFTER_MS = 10_000;
/** What is written on a stick may lag behind by so much. */
const STICK_AGAIN_AFTER_MS = 10_000;
/** The helper itself takes four a day. */
const CLOCK_AGAIN_AFTER_MS = 7 * 3_600_000;

export interface Asked {
  readonly atMs: number;
  /** By the wall clock, which results are dated by. */
  readonly atS: number;
  /** Date of the result that lay there then, which a clock that was wrong may have dated ahead; null where there was none. */
  readonly before: number | null;
  /** What was handed over, by name. */
  readonly names: string;
  /** How often these very names were handed over in vain before. */
  readonly inVain: number;
}

/** The helper ran since: what it found there was handed over by then. */
export const isAnswered = (asked: Asked | undefined, result: HelperResult | undefined): boolean =>
  asked !== undefined && result !== undefined && result.at >= asked.atS && result.at !== asked.before;

/** How often it was asked in vain once it is asked with these names. */
export const inVain = (names: string, asked: Asked | undefined, result: HelperResult | undefined): number =>
  asked === undefined || asked.names !== names || isAnswered(asked, result) ? 0 : asked.inVain + 1;

export interface HelperNeeds {
  readonly nowMs: number;
  /** The wall clock. */
  readonly nowS: number;
  /** Signed documents in force, by name; null before the first answer of this process. */
  readonly names: string | null;
  readonly clockSynchronised: boolean | null;
  readonly clockOffsetS: number | null;
  /** Keyid of the device key where it lies in a file; null where it is sealed, or not bound yet. */
  readonly plainKeyid: string | null;
  /** How enrolment stands, by name: news for a stick that was taken in this boot. */
  readonly enrolment: string;
  /** The appliance is enrolled, and root's copy of a stick still holds the token. */
  readonly tokenLeft: boolean;
  readonly asked: Readonly<Partial<Record<HelperVerb, Asked>>>;
  readonly results: Readonly<Partial<Record<HelperVerb, HelperResult>>>;
}

export function helpersDue(needs: HelperNeeds): HelperVerb[] {
  const due: HelperVerb[] = [];
  const { names, results, asked, plainKeyid } = needs;
  const since = (verb: HelperVerb): number => needs.nowMs - (asked[verb]?.atMs ?? Number.NEGATIVE_INFINITY);
  /** systemd did not come to run it, or it left no result: nobody knows that it was asked. */
  const isLost = (verb: HelperVerb): boolean => {
    const was = asked[verb];
    const pauseMs = Math.min(UNANSWERED_AFTER_MS * 2 ** (was?.inVain ?? 0), AGAIN_AFTER_MS);
    return was !== undefined && !isAnswered(was, results[verb]) && since(verb) >= pauseMs;
  };
  if (names !== null) {
    const isNews = asked['sync-trust']?.names !== names;
    const refused = results['sync-trust']?.outcome === 'refused' || hasForgotten(needs);
    if (isNews || isLost('sync-trust') || (refused && since('sync-trust') >= AGAIN_AFTER_MS)) due.push('sync-trust');
    const isOff = Math.abs(needs.clockOffsetS ?? 0) > MAX_TIME_DIFFERENCE_S;
    const isDue = isLost('set-clock') || since('set-clock') >= CLOCK_AGAIN_AFTER_MS;
    if (needs.clockSynchronised === false && isOff && isDue) due.push('set-clock');
  }
  const stick = results['config-stick'];
  const isTold = asked['config-stick']?.names === needs.enrolment && !isLost('config-stick');
  const isTaken = stick !== undefined && stick.outcome !== 'refused';
  if (!isTold && (isTaken || needs.tokenLeft) && since('config-stick') >= STICK_AGAIN_AFTER_MS)
    due.push('config-stick');
  if (plainKeyid !== null && !isStored(results['store-device-key'], plainKeyid)) {
    const isOther = asked['store-device-key']?.names !== plainKeyid;
    // The binding has to be with the helpers first, where there is one.
    const trustFirst = due.includes('sync-trust');
    const isAgain = isLost('store-device-key') || since('store-device-key') >= AGAIN_AFTER_MS;
    if (!trustFirst && (isOther || isAgain)) due.push('store-device-key');
  }
  return due;
}

/** A helper said since that what they remember was lost: sync-trust begins it anew. A date ahead says nothing of what came after. */
function hasForgotten({ results, nowS }: Pick<HelperNeeds, 'results' | 'nowS'>): boolean {
  const dated = results['sync-trust']?.at ?? 0;
  const syncedAt = dated > nowS ? 0 : dated;
  const isLost = (one: HelperResult | undefined): boolean => one?.code === 'helper_state_lost' && one.at >= syncedAt;
  return Object.values(results).some(isLost);
}

/** The helper says that it holds this key. */
export const isStored = (result: HelperResult | undefined, keyid: string): boolean =>
  result !== undefined && result.outcome !== 'refused' && result.details['keyid'] === keyid;

/**
 * The key was sealed since this process was started without it. A result that a wrong clock dated ahead is of a run that this process
 * asked for, or of one that an earlier process was restarted for already.
 */
export const isSealedSince = (
  result: HelperResult | undefined,
  { asked, startedAt, nowS }: { asked: Asked | undefined; startedAt: number; nowS: number },
): boolean => isAnswered(asked, result) || (result !== undefined && result.at >= startedAt && result.at <= nowS);

/** What a helper said that people should know for as long as it holds; null where there is nothing. */
export function diskWarning(result: HelperResult | undefined): string | null {
  return result?.outcome !== 'refused' && result?.details['opens_with'] === 'key_file' ? result.sentence : null;
}
