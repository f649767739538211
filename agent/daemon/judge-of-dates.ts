// Who judges the dates of Central Command's certificate. Pure but for the clocks and the store that it reads.
import type { DateJudge } from '../https/judged-dates.ts';
import { timeT } from '../trust/signed-time.ts';
import type { DaemonContext } from './context.ts';

/** Nearer than this, the wall clock and signed time come to the same about certificates, and the wall clock judges. */
const FAR_OFF_S = 120;

/**
 * The wall clock; signed time where that is known in this boot, no time service vouches for the wall clock, and the two are far
 * apart.
 */
export function judgeOfDates(context: Pick<DaemonContext, 'state' | 'store' | 'clock'>): DateJudge {
  const at = knownTime(context);
  if (at === null || context.state.clockSynchronised === true) return { by: 'wall_clock' };
  const apart = Math.abs(at - context.clock.wallMs() / 1_000);
  return apart > FAR_OFF_S ? { by: 'signed_time', at } : { by: 'wall_clock' };
}

/** Whether dates may be left unjudged for one exchange: no signed time in this boot, and nothing vouches for the wall clock. */
export const mayRecoverTime = (context: Pick<DaemonContext, 'state' | 'store' | 'clock'>): boolean =>
  knownTime(context) === null && context.state.clockSynchronised !== true;

const knownTime = ({ store, clock }: Pick<DaemonContext, 'store' | 'clock'>): number | null =>
  timeT(store.trust.signedTime(), clock.bootMs(), clock.bootId());
