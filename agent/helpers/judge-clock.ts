// Whether the wall clock may be set to signed time. Pure.
import { AgentError } from '../errors/agent-error.ts';
import type { PinnedRoot } from '../trust/root.ts';
import { timeT, type SignedTime } from '../trust/signed-time.ts';
import { MAX_TIME_DIFFERENCE_S, type ClockReading } from './judge-time.ts';

/**
 * Only where NTP is dead and the clock is far off: a clock that something disciplines is not touched.
 *
 * @returns Unix seconds to set the clock to
 * @throws helper_time_unneeded, helper_time_implausible
 */
export function judgeClock({ root }: PinnedRoot, time: SignedTime, clock: ClockReading): number {
  if (clock.synchronised) throw new AgentError('helper_time_unneeded', 'something keeps the clock synchronised');
  const now = timeT(time, clock.bootMs, clock.bootId) ?? time.serverTime;
  const offS = Math.abs(now - Math.floor(clock.wallMs / 1_000));
  if (offS <= MAX_TIME_DIFFERENCE_S) {
    throw new AgentError('helper_time_unneeded', `the clock is ${offS} s off, which is not more than 120 s`);
  }
  if (now < root.issued_at) {
    throw new AgentError('helper_time_implausible', 'the signed time lies before the trust root was made');
  }
  return now;
}
