// What the guards of healing are asked about, and what they know. All times are Unix seconds of signed time (T).
import type { ContentList } from '../wire/schemas/content.ts';
import type { ActionOutcome, OrderClass, Severity } from '../wire/schemas/primitives.ts';
import type { SitePolicy } from '../wire/schemas/site-policy.ts';
import type { HealingKey, HealingSubject } from './healing-keys.ts';
import type { HealingLimits } from './healing-limits.ts';
import type { LocalWindow } from './order-verdict.ts';
import type { SiteBreaker } from './site-breaker.ts';

export type HealingMode = SitePolicy['healing']['mode'];

/** Who allows it: a standing grant in the content list for one rule, or a verified order. */
export type Authority =
  | { readonly by: 'rule'; readonly id: string; readonly sha256: string; readonly baselineSha256: string }
  | { readonly by: 'order'; readonly class: OrderClass; readonly dryRun: boolean; readonly leavesWindow: boolean };

export interface HealingRequest {
  readonly subject: HealingSubject;
  readonly runbook: { readonly id: string; readonly version: number; readonly sha256: string };
  readonly severity: Severity;
  /** As the list of targets says, and as the target itself said; null where one of them is silent. */
  readonly roles: { readonly declared: string | null; readonly detected: string | null };
  /** Services that the action stops, starts or restarts. */
  readonly units: readonly string[];
  readonly authority: Authority;
  readonly limits: HealingLimits;
}

/** One run of a runbook that changes something, as the journal keeps it. */
export interface HealingRun {
  readonly key: HealingKey;
  readonly incidentKey: HealingKey;
  readonly targetKey: HealingKey;
  readonly runbookId: string;
  readonly domainController: boolean;
  readonly startedAt: number;
  /** Null until the result is recorded: still running, or cut off by a crash. */
  readonly endedAt: number | null;
  readonly outcome: ActionOutcome | null;
}

/** Where a learnt rule stands with this appliance. */
export interface Trial {
  readonly state: 'canary' | 'active' | 'demoted';
  /** As `canary`: the one target on which it acts; null before its first run. */
  readonly targetId: string | null;
  /** As `canary`: until when it is one at least. */
  readonly until: number;
  /** Whether people have an open ticket about this drift. */
  readonly isTold: boolean;
}

export interface HealingFacts {
  /** T; null without signed time in this boot. */
  readonly now: number | null;
  readonly clockSound: boolean;
  readonly policy: SitePolicy | null;
  readonly content: ContentList | null;
  /** The window that counts until there is a site policy. */
  readonly localWindow: LocalWindow | null;
  /** What the appliance's own configuration allows at most. */
  readonly localMode: HealingMode;
  /** Ends of the pauses in force: by order, and by hand on the appliance. Null: none. */
  readonly pausedUntil: { readonly byOrder: number | null; readonly byHand: number | null };
  /**
   * Whether pauses, breakers and counts are as they were left. `lost`: the epoch of the log is one that nobody ordered, and people have
   * not enabled healing in it. `unheard`: Central Command has not answered this process yet, so nobody has said that the log is not an
   * older one.
   */
  readonly memory: 'whole' | 'unheard' | 'lost';
  /** Of a rule that was learnt: how far it is trusted. Null for any other rule. */
  readonly trial: Trial | null;
  /** Whether an intent can be written to the log now. */
  readonly evidenceReady: boolean;
  /** When this drift was seen, with nothing but drift in between. */
  readonly seenAt: readonly number[];
  /** When this drift came back after it was healed. */
  readonly recurredAt: readonly number[];
  /** Attempts before this do not count: the rule was changed, or people armed the incident again. */
  readonly attemptsFrom: number;
  /** First time that the window kept this from being done; null if it did not. */
  readonly deferredSince: number | null;
  /** Every run on this site that a limit may still count. */
  readonly runs: readonly HealingRun[];
  /** By id of the runbook. */
  readonly siteBreakers: ReadonlyMap<string, SiteBreaker>;
  /** Runbooks whose rollback failed; only people take one out. */
  readonly blockedRunbooks: ReadonlySet<string>;
}

/** What a guard answers where it does not let something pass. */
export interface HealingStop {
  /** `wait`: later, by itself. `people`: a ticket. `refuse`: never in this form. */
  readonly stop: 'wait' | 'people' | 'refuse';
  readonly sentence: string;
  /** For `wait`: the earliest moment that is known; null where an event is waited for. */
  readonly until: number | null;
}

export const wait = (sentence: string, until: number | null = null): HealingStop => ({ stop: 'wait', sentence, until });
export const people = (sentence: string): HealingStop => ({ stop: 'people', sentence, until: null });
export const refuseHealing = (sentence: string): HealingStop => ({ stop: 'refuse', sentence, until: null });
