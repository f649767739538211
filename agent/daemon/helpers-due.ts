// Which helpers have something to do. Pure. A helper that refused is asked again after a pause only: it has a limit of its own.
import type { HelperResult } from '../helpers/helper-result.ts';
import { MAX_TIME_DIFFERENCE_S } from '../helpers/judge-time.ts';
import type { HelperVerb } from '../helpers/verbs.ts';

/** Between two starts of one helper without news. */
const AGAIN_AFTER_MS = 15 * 60_000;
/** What is written on a stick may lag behind by so much. */
const STICK_AGAIN_AFTER_MS = 10_000;
/** The helper itself takes four a day. */
const CLOCK_AGAIN_AFTER_MS = 7 * 3_600_000;

export interface Asked {
  readonly atMs: number;
  /** What was handed over, by name. */
  readonly names: string;
}

export interface HelperNeeds {
  readonly nowMs: number;
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
  const since = (verb: HelperVerb): number => needs.nowMs - (needs.asked[verb]?.atMs ?? Number.NEGATIVE_INFINITY);
  const { names, results, asked } = needs;
  if (names !== null) {
    const isNews = asked['sync-trust']?.names !== names;
    const refused = results['sync-trust']?.outcome === 'refused' || hasForgotten(results);
    if (isNews || (refused && since('sync-trust') >= AGAIN_AFTER_MS)) due.push('sync-trust');
    const isOff = Math.abs(needs.clockOffsetS ?? 0) > MAX_TIME_DIFFERENCE_S;
    if (needs.clockSynchronised === false && isOff && since('set-clock') >= CLOCK_AGAIN_AFTER_MS) due.push('set-clock');
  }
  const stick = results['config-stick'];
  const isTold = asked['config-stick']?.names === needs.enrolment;
  const isTaken = stick !== undefined && stick.outcome !== 'refused';
  if (!isTold && (isTaken || needs.tokenLeft) && since('config-stick') >= STICK_AGAIN_AFTER_MS)
    due.push('config-stick');
  const { plainKeyid } = needs;
  if (plainKeyid !== null && !isStored(results['store-device-key'], plainKeyid)) {
    const isOther = asked['store-device-key']?.names !== plainKeyid;
    // The binding has to be with the helpers first, where there is one.
    const trustFirst = due.includes('sync-trust');
    if (!trustFirst && (isOther || since('store-device-key') >= AGAIN_AFTER_MS)) due.push('store-device-key');
  }
  return due;
}

/** A helper said since that what they remember was lost: sync-trust begins it anew. */
function hasForgotten(results: HelperNeeds['results']): boolean {
  const syncedAt = results['sync-trust']?.at ?? 0;
  const isLost = (one: HelperResult | undefined): boolean => one?.code === 'helper_state_lost' && one.at >= syncedAt;
  return Object.values(results).some(isLost);
}

/** The helper says that it holds this key. */
export const isStored = (result: HelperResult | undefined, keyid: string): boolean =>
  result !== undefined && result.outcome !== 'refused' && result.details['keyid'] === keyid;

/** What a helper said that people should know for as long as it holds; null where there is nothing. */
export function diskWarning(result: HelperResult | undefined): string | null {
  return result?.outcome !== 'refused' && result?.details['opens_with'] === 'key_file' ? result.sentence : null;
}
