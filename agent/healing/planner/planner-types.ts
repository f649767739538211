// What the planner (L2) is asked, what it needs, and what comes of it (docs/healing-planner.md).
import type { ErrorCode } from '../../errors/codes.ts';
import type { RunbookParams } from '../../checks/windows/windows-check.ts';
import type { HealingMode } from '../../guards/healing-facts.ts';
import type { LoadedRunbook } from '../../execution/load-runbook.ts';
import type { EvidenceLog } from '../../evidence/log.ts';
import type { Store } from '../../store/open-store.ts';
import type { ContentList } from '../../wire/schemas/content.ts';
import type { Finding } from '../../wire/schemas/finding.ts';
import type { SitePolicy } from '../../wire/schemas/site-policy.ts';
import type { Platform } from '../rule-fields.ts';

/** An earlier run for the same incident. */
export interface EarlierRun {
  readonly runbookId: string;
  readonly outcome: string;
  readonly code: string | null;
}

/** A `fail` finding that no rule fits. Times are Unix seconds of signed time. */
export interface PlannerSubject {
  readonly platform: Platform;
  readonly finding: Finding;
  /** Id of its incident, for the entry of the log. */
  readonly incidentId: string;
  /** The incident's condition, `unmatched` where no rule fits. */
  readonly condition: string;
  readonly failingSince: number;
  readonly recurrences: number;
  readonly runs: readonly EarlierRun[];
}

/** Of one endpoint, from files; never from the policy. */
export interface EndpointSecrets {
  readonly key: string | null;
  /** Certificates (PEM) to trust in place of the system's. */
  readonly caPem: string | null;
}

export interface PlannerLimits {
  /** Of one request, answer included. */
  readonly deadlineMs: number;
  readonly tokensPerCall: number;
  readonly callsPerHour: number;
  readonly callsPerDay: number;
  readonly tokensPerDay: number;
}

export interface PlannerDeps {
  readonly store: Pick<Store, 'unit' | 'planner' | 'settings'>;
  readonly evidence: Pick<EvidenceLog, 'append'>;
  readonly ids: { uuidv7(): string; randomBytes(length: number): Buffer };
  /** Signed time, Unix seconds; null without one in this boot. */
  readonly now: () => number | null;
  /** In force now; null: there is none. */
  readonly policy: SitePolicy | null;
  readonly content: ContentList | null;
  /** What lies on this appliance; what the content list does not name is left out. */
  readonly runbooks: readonly LoadedRunbook[];
  /** By the name of the credential in the policy. */
  readonly secrets: (credential: string) => EndpointSecrets;
  /** What the appliance's own configuration allows at most. */
  readonly localMode: HealingMode;
  readonly limits?: Partial<PlannerLimits>;
}

/** What the model chose, as far as it was checked. It is no authority for anything (docs/decisions/0026). */
export interface Plan {
  readonly planId: string;
  readonly runbook: { readonly id: string; readonly version: number; readonly sha256: string };
  /** All params of the runbook, defaults included. */
  readonly params: RunbookParams;
  /** Other listed runbooks that the model named. */
  readonly alternatives: readonly string[];
  /** Words of the model, scrubbed; empty where nothing was left. Shown to people as the model's words, never acted on. */
  readonly rationale: string;
  readonly llm: PlanOrigin;
}

/** As `llm` of an entry names it. */
export interface PlanOrigin {
  readonly model: string;
  readonly prompt_sha256: string;
  readonly output_sha256: string;
}

/**
 * `dry_run`: it may be tried out, changing nothing, and then be suggested. `suggest`: it goes into the ticket as it is. There is no
 * third: what changes anything needs an order of people.
 */
export type PlanAuthority = 'dry_run' | 'suggest';

export type PlannerResult =
  | {
      readonly kind: 'plan';
      readonly plan: Plan;
      readonly authority: PlanAuthority;
      /** True where it was made earlier for this finding and nothing was asked now. */
      readonly kept: boolean;
    }
  /** L3 at once. `asked`: true where something was sent out now. */
  | { readonly kind: 'people'; readonly code: ErrorCode; readonly sentence: string; readonly asked: boolean };
