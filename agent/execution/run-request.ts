// What a run is asked, what it needs, and what comes of it.
import type { ErrorCode } from '../errors/codes.ts';
import type { RunbookParams, WindowsCheck } from '../checks/windows/windows-check.ts';
import type { Clock, Ids, Log } from '../system/ports.ts';
import type { TargetInfo, TargetLease } from '../targets/target.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { ActionOutcome } from '../wire/schemas/primitives.ts';
import type { Waiver } from '../wire/schemas/site-policy.ts';
import type { RunCircumstances } from './judge-run.ts';
import type { KnownMachines } from './known-machines.ts';
import type { LoadedRunbook } from './load-runbook.ts';
import { isMachineSid } from './machine-identity.ts';
import type { RecordDeps, RunLink } from './record-run.ts';
import type { WindowsRunbook } from './runbook.ts';
import type { Runner } from './runner.ts';
import type { TargetLocks } from './target-locks.ts';

export type WindowsLoaded = LoadedRunbook & { readonly runbook: WindowsRunbook };

/** Appliance runbooks have no scripts that could run on a target. */
export const isForWindows = (loaded: LoadedRunbook): loaded is WindowsLoaded => loaded.runbook.platform === 'windows';

/** The circumstances of this moment, as the daemon knows them; `nowT` is null without signed time. */
export type Circumstances = Pick<RunCircumstances, 'listedClass' | 'windowOpen' | 'clockSound' | 'healingPaused'> & {
  readonly nowT: number | null;
};

export interface ExecutorDeps extends RecordDeps {
  readonly runner: Runner;
  readonly targets: { lease(id: string): TargetLease | null };
  /** Its runner asks each machine who it is (identifying-runner.ts). */
  readonly machines: Pick<KnownMachines, 'pinned'>;
  readonly locks: TargetLocks;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly circumstances: (loaded: LoadedRunbook) => Circumstances;
  readonly waivers: () => readonly Waiver[];
  /** Takes findings as those of any check. */
  readonly recordFindings: (findings: readonly Finding[]) => void;
}

export interface RunRequest {
  readonly loaded: WindowsLoaded;
  readonly check: WindowsCheck;
  readonly targetId: string;
  readonly action: 'detect' | 'remediate' | 'rollback';
  readonly dryRun: boolean;
  readonly params: RunbookParams;
  /** As the authorisation names it; null where nobody pinned one. */
  readonly pinnedIdentity: string | null;
  readonly windowOverridden: boolean;
  readonly link: RunLink;
}

export interface RunResult {
  readonly outcome: ActionOutcome;
  readonly code: ErrorCode | null;
  readonly sentence: string;
  /** Changes that were made (or, of a dry run, would be). */
  readonly changes: number;
}

/**
 * Whom the run may meet, where an authorisation names the machine: a SID as it was pinned or handed out (on a machine that nobody met
 * yet, the one that then has to answer), or `spki:` and the digest of its key, which a connection that takes no other key proves.
 *
 * @param pinned SID that the machine said at first contact; null before that
 * @returns the target with the SID that has to answer; null where it is known as another machine
 */
export function asAuthorised<T extends Pick<TargetInfo, 'identity' | 'scheme' | 'tls'>>(
  target: T,
  named: string,
  pinned: string | null,
): T | null {
  const { identity, scheme, tls } = target;
  if (isMachineSid(named)) {
    const known = [pinned, identity?.machine_sid].filter((sid) => sid !== null && sid !== undefined);
    return known.every((sid) => sid === named) ? { ...target, identity: { ...identity, machine_sid: named } } : null;
  }
  if (scheme === 'https' && tls.trust === 'spki' && named === `spki:${tls.sha256}`) return target;
  return identity?.spki !== undefined && named === `spki:${identity.spki}` ? target : null;
}

/** A result, in short. */
export const ended = (outcome: ActionOutcome, code: ErrorCode | null, sentence: string, changes = 0): RunResult => ({
  outcome,
  code,
  sentence,
  changes,
});
