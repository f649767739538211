// What a run of a runbook on the appliance itself is asked and what it needs: a fresh look by the appliance's own check, and a
// privileged helper that acts. Shared by orders and by healing; whoever asks brings the grounds that the helper judges for itself.
import type { RunbookParams } from '../../checks/windows/windows-check.ts';
import type { Store } from '../../store/open-store.ts';
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
  /** A standing grant for this rule, by the digest of its file. */
  | { readonly kind: 'grant'; readonly rule: { readonly id: string; readonly sha256: string } };

/** What a helper is asked to do. Values are not handed over: the helper takes them from the signed baseline. */
export type HelperRequest =
  | {
      readonly step: 'act';
      readonly loaded: ApplianceLoaded;
      /** Words of the helper's own closed list, as the runbook says them. */
      readonly arguments: readonly string[];
      readonly grounds: HelperGrounds;
    }
  /** Of an act that goes back by itself unless it is confirmed; `run` as its answer named it. */
  | { readonly step: 'confirm' | 'rollback'; readonly run: string };

/** What came of it. None of this is success: that is what a look sees. */
export type HelperAnswer =
  /**
   * `started`: it goes on by itself, and a later look says what came of it. `run`: the act waits to be confirmed or rolled back
   * under this name.
   */
  | { readonly answer: 'done' | 'unchanged' | 'started'; readonly run: string | null; readonly sentence: string }
  /** The helper judged the request and refused it, or could not do it. */
  | { readonly answer: 'refused'; readonly code: string; readonly sentence: string }
  /** It was not even started: nothing was done. */
  | {
      readonly answer: 'absent';
      readonly code: 'helper_not_installed' | 'helper_not_started';
      readonly sentence: string;
    }
  /** It was started and left no result in time: whether it did something is not known. */
  | { readonly answer: 'silent'; readonly sentence: string };

export interface ApplianceDeps extends RecordDeps {
  readonly store: Pick<Store, 'unit' | 'runs' | 'settings'>;
  readonly locks: TargetLocks;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly circumstances: (loaded: LoadedRunbook) => Circumstances;
  /** T; null without signed time. */
  readonly nowT: () => number | null;
  /** The newest finding of the check, whoever asked for it. */
  readonly lastFinding: (checkId: string) => Finding | null;
  /** Reads and judges now, and records the finding like any other. What cannot be read is an `unknown` finding. */
  readonly look: (checkId: string, signal: AbortSignal) => Promise<Finding>;
  /** Whether what the runbook's helper starts is at work now; null where that is not known. */
  readonly underWay: (loaded: ApplianceLoaded, signal: AbortSignal) => Promise<boolean | null>;
  /** Hands over, starts the helper and waits for its result. Throws the signal's reason only. */
  readonly helper: (verb: RunbookVerb, request: HelperRequest, signal: AbortSignal) => Promise<HelperAnswer>;
  /**
   * Called right before a change. What it gives is asked after it: whether Central Command answers since. True also where it did not
   * answer before: then nothing was cut off.
   */
  readonly watchConnection: () => (signal: AbortSignal) => Promise<boolean>;
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
