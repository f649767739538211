// Which signed time a helper goes by. Whoever hands it over may keep old answers, so it is held against a clock that nobody
// but root's own NTP client sets, or, where that is dead, against the highest signed time that the helpers ever took. Pure.
import { AgentError } from '../errors/agent-error.ts';
import { timeT, type SignedTime } from '../trust/signed-time.ts';

/** Signed time and the synchronised clock may differ by this much; an answer may also be this old when it is handed over. */
export const MAX_TIME_DIFFERENCE_S = 120;

export interface ClockReading {
  /** Unix milliseconds. */
  readonly wallMs: number;
  readonly bootMs: number;
  readonly bootId: string;
  /** The kernel says that something disciplines the wall clock. */
  readonly synchronised: boolean;
}

/**
 * @param known the highest signed time that was taken before; null before the first
 * @returns what T is counted from now on: never behind `known`, unless a synchronised clock says that `known` was wrong
 * @throws helper_time_off, helper_time_old
 */
export function judgeTime(known: SignedTime | null, serverTime: number, clock: ClockReading): SignedTime {
  const offered: SignedTime = { serverTime, bootMs: clock.bootMs, bootId: clock.bootId };
  if (clock.synchronised) {
    const difference = Math.abs(serverTime - Math.floor(clock.wallMs / 1_000));
    if (difference <= MAX_TIME_DIFFERENCE_S) return offered;
    throw new AgentError('helper_time_off', `signed time and the synchronised clock are ${difference} s apart`, {
      details: { difference_s: difference },
    });
  }
  if (known === null) return offered;
  const counted = timeT(known, clock.bootMs, clock.bootId);
  const expected = counted ?? known.serverTime;
  if (serverTime < expected - MAX_TIME_DIFFERENCE_S) {
    throw new AgentError('helper_time_old', `the signed time lies ${expected - serverTime} s before what is known`, {
      details: { behind_s: expected - serverTime },
    });
  }
  return counted !== null && counted > serverTime ? known : offered;
}
