// The documents that the helpers hold, verified anew before anything is changed in their name: a key that was revoked since vouches
// for nothing. Pure.
import { AgentError } from '../errors/agent-error.ts';
import { openBinding } from '../trust/binding.ts';
import { openContentList } from '../trust/content-list.ts';
import { openPolicy } from '../trust/policy.ts';
import { timeT, type SignedTime } from '../trust/signed-time.ts';
import { readHeldTrust, type HeldLines } from './held-trust.ts';
import type { HealTrust } from './judge-grounds.ts';
import { MAX_TIME_DIFFERENCE_S, type ClockReading } from './judge-time.ts';

/**
 * T by the boot clock, from the highest signed time that sync-trust took. That lags by what an answer lay around before it was handed
 * over, so that an order which was signed just now would not be valid yet: a synchronised clock that is ahead of it counts.
 *
 * @throws helper_time_unknown, helper_time_off (T and a synchronised clock are more than 120 s apart)
 */
export function judgeNow(time: SignedTime | null, clock: ClockReading): number {
  const now = timeT(time, clock.bootMs, clock.bootId);
  if (now === null) throw new AgentError('helper_time_unknown', 'the helpers hold no signed time of this boot');
  if (!clock.synchronised) return now;
  const wall = Math.floor(clock.wallMs / 1_000);
  const difference = Math.abs(now - wall);
  if (difference <= MAX_TIME_DIFFERENCE_S) return Math.max(now, wall);
  throw new AgentError('helper_time_off', `signed time and the synchronised clock are ${difference} s apart`, {
    details: { difference_s: difference },
  });
}

/**
 * @throws helper_root_unknown, helper_not_granted (no list, policy or binding is held), helper_state_damaged, root_expired, the errors
 *   of openContentList, openPolicy and openBinding
 */
export function openHealTrust(lines: HeldLines, now: number): HealTrust {
  const { root: pinned, revoked } = readHeldTrust(lines);
  if (pinned === null) throw new AgentError('helper_root_unknown', 'the helpers hold no trust root yet');
  if (lines.binding === null || lines.content === null || lines.policy === null) {
    throw new AgentError('helper_not_granted', 'the helpers hold no content list, no site policy or no binding yet');
  }
  const { root } = pinned;
  const held = { revokedKeyids: revoked, now, currentVersion: null };
  const { value: binding } = openBinding(root, lines.binding, { revokedKeyids: revoked, place: 'binding' });
  const { value: content } = openContentList(root, lines.content, { ...held, place: 'content' });
  const siteId = binding.site_id;
  const { value: policy } = openPolicy(root, lines.policy, { ...held, siteId, place: 'policy' });
  return { root, revoked, binding, content, policy };
}
