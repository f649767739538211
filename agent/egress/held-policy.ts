// The site policy that the refresher goes by: verified by itself, from the copies that sync-trust keeps in a folder of root's.
import { existsSync } from 'node:fs';
import { AgentError } from '../errors/agent-error.ts';
import { readHeldTrust, type HeldLines } from '../helpers/held-trust.ts';
import { assertOwnFolder, readHeldLines, readHelperState, signedTimeOf } from '../helpers/helper-state.ts';
import type { ClockReading } from '../helpers/judge-time.ts';
import { openBinding } from '../trust/binding.ts';
import { openPolicy } from '../trust/policy.ts';
import { timeT, type SignedTime } from '../trust/signed-time.ts';
import type { SitePolicy } from '../wire/schemas/site-policy.ts';

/**
 * Unix seconds that are not ahead of the truth: the highest signed time that the helpers ever took, counted on in the boot in which
 * they took it, and a clock that something keeps synchronised. After a restart without Central Command it may be long past: doors of
 * a policy that counted stay open then. Pure.
 */
function leastTime(known: SignedTime | null, clock: ClockReading): number {
  const signed = known === null ? 0 : (timeT(known, clock.bootMs, clock.bootId) ?? known.serverTime);
  return clock.synchronised ? Math.max(signed, Math.floor(clock.wallMs / 1_000)) : signed;
}

/**
 * Null before there is one. Pure.
 *
 * @throws helper_state_damaged, root_expired, the errors of openBinding and openPolicy
 */
function openHeldPolicy(lines: HeldLines, now: number): SitePolicy | null {
  const { root: pinned, revoked: revokedKeyids } = readHeldTrust(lines);
  if (pinned === null || lines.binding === null || lines.policy === null) return null;
  const { value: binding } = openBinding(pinned.root, lines.binding, { revokedKeyids, place: 'binding' });
  const options = { revokedKeyids, now, currentVersion: null, siteId: binding.site_id, place: 'policy' };
  return openPolicy(pinned.root, lines.policy, options).value;
}

/** @throws as {@link openHeldPolicy}; helper_surroundings_unsafe where the folder is not root's alone */
export function readHeldPolicy(stateDir: string, clock: ClockReading): SitePolicy | null {
  if (!existsSync(stateDir)) return null;
  assertOwnFolder(stateDir);
  const known = signedTimeOf(readHelperState(stateDir));
  const lines = readHeldLines(stateDir);
  if (lines.policy !== null && known === null && !clock.synchronised) {
    throw new AgentError('helper_time_unknown', 'the helpers hold no signed time, and the clock is not synchronised');
  }
  return openHeldPolicy(lines, leastTime(known, clock));
}
