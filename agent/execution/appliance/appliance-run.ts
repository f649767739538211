// What a run of a runbook on the appliance itself is asked and what it needs: a fresh look by the appliance's own check, and a
// privileged helper that acts. Shared by orders and by healing; whoever asks brings the grounds that the helper judges for itself.
import type { ErrorCode } from '../../errors/codes.ts';
import type { RunbookParams } from '../../checks/windows/windows-check.ts';
import type { Clock, Ids, Log } from '../../system/ports.ts';
import type { Finding } from '../../wire/schemas/finding.ts';
import type { LoadedRunbook } from '../load-runbook.ts';
import type { RecordDeps, RunLink } from '../record-run.ts';
import type { ApplianceRunbook, RunbookVerb } from '../runbook.ts';
import type { Circumstances } from '../run-request.ts';
import type { TargetLocks } from '../target-locks.ts';

/** The appliance as the target of its own runbooks, checks and orders. */
export const APPLIANCE = 'appliance';

export type ApplianceLoaded = LoadedRunbook & { readonly runbook: ApplianceRunbook };

export const isForAppliance = (loaded: LoadedRunbook): loaded is ApplianceLoaded =>
  loaded.runbook.platform === 'appliance';

/** By what a helper may act. It believes neither: it verifies the order, or finds the grant in the content list that it holds. */
export type HelperGrounds =
  /** `envelope`: the signed order, as its one line. */
  | { readonly kind: 'order'; readonly envelope: string }
  /** A standing grant of the content list in force. */
  | { readonly kind: 'grant'; readonly grantId: string };

/** What a helper is asked to do. Values are not handed over: the helper takes them from the signed baseline. */
export interface HelperRequest {
  readonly runbook: { readonly id: string; readonly version: number; readonly sha256: string };
  /** `undo`: the way back from what the same verb did last. */
  readonly purpose: 'act' | 'undo';
  /** Names of baseline values, as the runbook says them. */
  readonly arguments: readonly string[];
  readonly grounds: HelperGrounds;
}

/** What came of it. None of this is success: that is what a look sees. */
export type HelperAnswer =
  /** `started`: it goes on by itself, and only a later look can say what came of it. */
  | { readonly answer: 'done' | 'unchanged' | 'started'; readonly sentence: string }
  /** The helper judged the request and did nothing, or could not. */
  | { readonly answer: 'refused'; readonly code: string; readonly sentence: string }
  /** It was not even started (`helper_not_installed`, `helper_not_started`): nothing was done. */
  | { readonly answer: 'absent'; readonly code: ErrorCode; readonly sentence: string }
  /** It was started and left no result in time: whether it did something is not known. */
  | { readonly answer: 'silent'; readonly code: ErrorCode; readonly sentence: string };

export interface ApplianceDeps extends RecordDeps {
  readonly locks: TargetLocks;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly circumstances: (loaded: LoadedRunbook) => Circumstances;
  /** Reads and judges now, and records the finding like any other. What cannot be read is an `unknown` finding. */
  readonly look: (checkId: string, signal: AbortSignal) => Promise<Finding>;
  /** Hands over, starts the helper and waits for its result. Throws the signal's reason only. */
  readonly helper: (verb: RunbookVerb, request: HelperRequest, signal: AbortSignal) => Promise<HelperAnswer>;
}

export interface ApplianceRequest {
  readonly loaded: ApplianceLoaded;
  readonly action: 'detect' | 'remediate' | 'rollback';
  readonly dryRun: boolean;
  readonly params: RunbookParams;
  /** True where the order may leave the window aside, as authorised. */
  readonly windowOverridden: boolean;
  readonly grounds: HelperGrounds;
  readonly link: RunLink;
}
