// Room `helpers`: the little that takes root, each as a oneshot of its own that systemd starts. A helper takes no argument and
// trusts nobody: what the daemon hands over is judged by the trust root that the helper keeps itself. No SQLite, no network.
//
// Here: the verbs, and how often each may run.

import { HEAL_VERBS } from './heal-request.ts';

/** Need no grounds but what is signed. */
const TRUST_VERBS = ['sync-trust', 'set-clock', 'store-device-key'] as const;
/** udev starts it for a stick, and the daemon when there is something new to write on it. */
export const STICK_VERB = 'config-stick';
/** Started at a start of the machine until the installer's key is gone. */
export const DISK_VERB = 'seal-disk';
/** The daemon may start these. */
export const DAEMON_VERBS = [...TRUST_VERBS, STICK_VERB, ...HEAL_VERBS] as const;
/**
 * Switch the system by a plan that `apply-update` left, and back. Started by it, at a start of the machine, or by the timer that is
 * armed before a switch. Counted by nobody: the way back must not depend on what else the helpers keep.
 */
export const SWITCH_VERBS = ['switch-system', 'rollback-system'] as const;
/** `revert-firewall`: a timer starts it where a restored packet filter is not confirmed. */
export const HELPER_VERBS = [...DAEMON_VERBS, 'revert-firewall', DISK_VERB, ...SWITCH_VERBS] as const;
export type HelperVerb = (typeof HELPER_VERBS)[number];

export const isHelperVerb = (text: string): text is HelperVerb => (HELPER_VERBS as readonly string[]).includes(text);

export const isSwitchVerb = (verb: HelperVerb): verb is (typeof SWITCH_VERBS)[number] =>
  (SWITCH_VERBS as readonly string[]).includes(verb);

/** The unit that runs a verb; nix/helpers.nix makes one of this name for each. */
export const helperUnit = (verb: HelperVerb): string => `compliance-agent-${verb}.service`;

export interface RunLimit {
  readonly runs: number;
  /** Counted on the boot clock: setting the wall clock must not make room. */
  readonly withinMs: number;
}

const HOUR_MS = 3_600_000;

/** Runs in one boot, refused ones included: a daemon that is out of its mind must not keep root busy. */
export const RUN_LIMITS: Readonly<Record<HelperVerb, RunLimit>> = {
  'sync-trust': { runs: 60, withinMs: HOUR_MS },
  'set-clock': { runs: 4, withinMs: 24 * HOUR_MS },
  'store-device-key': { runs: 12, withinMs: 24 * HOUR_MS },
  // Somebody may try a stick again and again.
  'config-stick': { runs: 120, withinMs: HOUR_MS },
  'seal-disk': { runs: 12, withinMs: HOUR_MS },
  'restart-unit': { runs: 12, withinMs: 24 * HOUR_MS },
  // A restore takes two: it is confirmed or undone.
  'restore-firewall': { runs: 16, withinMs: 24 * HOUR_MS },
  'run-backup': { runs: 6, withinMs: 24 * HOUR_MS },
  'restore-test': { runs: 4, withinMs: 24 * HOUR_MS },
  // The daemon cannot start it, and the way back is never refused for its number.
  'revert-firewall': { runs: 1_000, withinMs: 24 * HOUR_MS },
  // Orders and grants have limits by the day that last over restarts; these are for one boot.
  'apply-update': { runs: 6, withinMs: 24 * HOUR_MS },
  reboot: { runs: 6, withinMs: 24 * HOUR_MS },
  'switch-system': { runs: 1_000, withinMs: 24 * HOUR_MS },
  'rollback-system': { runs: 1_000, withinMs: 24 * HOUR_MS },
};
