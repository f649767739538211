// What the daemon knows at this moment, kept in memory only; everything that must survive a restart is in the store.
import type { AgentError } from '../errors/agent-error.ts';
import type { EvidenceLog } from '../evidence/log.ts';
import type { TrustedStamp } from '../outputs/trusted-stamp.ts';
import type { Recorder } from '../evidence/recorder.ts';
import type { StorageFacts, StoragePressure } from '../evidence/storage-pressure.ts';
import type { SwappableClient } from '../https/swappable-client.ts';
import type { EnrolledIdentity } from '../store/open-store.ts';
import type { Lifecycle } from '../system/status-file.ts';
import type { Uplink } from '../uplink/create-uplink.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { EntryContext } from '../evidence/log.ts';
import { newSelfCare, type SelfCare } from './self-care.ts';
import type { TrustState } from './trust-state.ts';

/** All that exists only after enrolment. */
export interface Enrolled {
  readonly identity: EnrolledIdentity;
  readonly trust: TrustState;
  readonly evidence: EvidenceLog;
  readonly recorder: Recorder;
  /** To Central Command, with the certificate that is held. */
  readonly https: SwappableClient;
  readonly uplink: Uplink;
}

/** Where the time of entries comes from, as the last `clock` fact and the last answer say. */
export type ClockHealth = Omit<EntryContext['clock'], 'boot_id'>;

export interface Blocked {
  readonly code: string;
  readonly sentence: string;
  readonly remedy: string;
}

export interface AgentState {
  lifecycle: Lifecycle;
  enrolled: Enrolled | null;
  /** While not enrolled: why, in plain words. */
  enrolment: Blocked | null;
  fingerprint: string | null;
  centralUrl: string | null;
  readonly care: SelfCare;
  /** Last finding of each target and check, by `target/check`. */
  readonly findings: Map<string, Finding>;
  /** Whether the system clock is disciplined, as the last `clock` fact says; null before it was read. */
  clockSynchronised: boolean | null;
  /** The disk opens by a key that lies beside it: a sentence of the helper; null where it does not, or nobody looked. */
  diskWarning: string | null;
  /** What `PRAGMA quick_check` said last, and when (monotonic milliseconds). */
  databaseCheck: { readonly said: string; readonly atMs: number } | null;
  lastAnswerAt: number | null;
  /** The signed line of the last answer, for the helpers, and when it came (monotonic); null before the first. */
  answerHeld: { readonly line: string; readonly atMs: number } | null;
  /** Settles when nobody brings documents any more. */
  documentsTurn: Promise<void>;
  /** Signed time minus wall clock at the last answer, milliseconds. */
  clockOffsetMs: number | null;
  /** The last answer's time lay before the one before it: only `read` orders until the next answer. */
  timeWentBack: boolean;
  /** Set by a good check-in, cleared by a failed one. */
  checkinError: AgentError | null;
  checkinFailures: number;
  /** Why a new certificate could not be had; null when none was needed or it was. */
  certificateError: AgentError | null;
  uploadError: AgentError | null;
  /** The store refused a write (full, read-only, damaged): nothing can be recorded until it takes one again. */
  storeError: AgentError | null;
  /** How much room was left at the last look; null before the first. `isFull`: the ballast was given up. */
  storage: { readonly pressure: StoragePressure; readonly facts: StorageFacts; readonly isFull: boolean } | null;
  /** The newest timestamp, where an authority that `timestamp_ca_path` names signed it. */
  timestamped: TrustedStamp | null;
  /** Central's interval, where an answer set one. */
  checkinIntervalS: number | null;
}

export const initialState = (): AgentState => ({
  lifecycle: 'starting',
  enrolled: null,
  enrolment: null,
  fingerprint: null,
  centralUrl: null,
  care: newSelfCare(),
  findings: new Map(),
  clockSynchronised: null,
  diskWarning: null,
  databaseCheck: null,
  lastAnswerAt: null,
  answerHeld: null,
  documentsTurn: Promise.resolve(),
  clockOffsetMs: null,
  timeWentBack: false,
  checkinError: null,
  checkinFailures: 0,
  certificateError: null,
  uploadError: null,
  storeError: null,
  storage: null,
  timestamped: null,
  checkinIntervalS: null,
});

/** Stages that write with every run: one of them done means that the store takes writes again. */
const WRITING_STAGES: ReadonlySet<string> = new Set(['checkin', 'checks', 'evidence']);

/** Called after each run of a stage. */
export function noteStoreTrouble(state: Pick<AgentState, 'storeError'>, stage: string, error: AgentError | null): void {
  if (error?.code.startsWith('store_') === true) state.storeError = error;
  else if (error === null && WRITING_STAGES.has(stage)) state.storeError = null;
}
