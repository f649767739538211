// What the running daemon tells the CLI: one small file, written whole, and the drop folder in the other direction.
// The CLI never writes the database; it leaves `control/*.json` for the daemon.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import { readFileLimited, writeFileAtomic } from './files.ts';

export const STATUS_FILE = 'status.json';
export const CONTROL_DIR = 'control';
/** A status older than this many seconds is said to be stale: the daemon rewrites it at least every 10 s. */
export const STATUS_STALE_S = 60;
/** A drop file is one short request. */
const MAX_CONTROL_BYTES = 4_096;
/** What is beyond waits for the next look. */
const MAX_CONTROL_FILES = 32;

export type Lifecycle = 'starting' | 'unprovisioned' | 'pending' | 'enrolled' | 'stopping' | 'stopped';

export interface StageStatus {
  readonly name: string;
  readonly running: boolean;
  /** Unix seconds; null before the first run. */
  readonly last_started_at: number | null;
  readonly last_finished_at: number | null;
  readonly last_error: { readonly code: string; readonly sentence: string } | null;
  readonly failures_in_a_row: number;
  /** Seconds until the next try. */
  readonly next_in_s: number;
  /** What the whole process used while it ran, since its start: CPU in milliseconds, and memory that came (or went, below 0). */
  readonly cpu_ms: number;
  readonly grown_bytes: number;
}

/** A blocking reason that is or was; Unix seconds. */
export interface LastBlocking {
  readonly code: string;
  readonly sentence: string;
  readonly remedy: string;
  readonly since: number;
  /** Null while it lasts. */
  readonly until: number | null;
}

/** An epoch that the appliance opened itself. */
export interface EpochOpened {
  readonly number: number;
  /** `unbound`: Central Command has not answered yet. `provisional`: people have not confirmed it yet. */
  readonly status: 'unbound' | 'provisional' | 'confirmed';
  readonly since: number;
  /** Why the epoch before it ended. */
  readonly cause: string;
  readonly old_origin: string;
  /** What the appliance had of the old log, and what it knows that was witnessed; null: unknown. */
  readonly own_size: number | null;
  readonly witnessed_size: number | null;
}

/** A machine that the appliance may look at, by its id alone. `cause`: code of why, where one is known. */
export interface TargetStanding {
  readonly id: string;
  readonly state:
    'ready' | 'outside_networks' | 'credential_stopped' | 'credential_waiting' | 'other_machine' | 'unknown';
  readonly cause: string | null;
}

/** How healing stands. Times are Unix seconds of signed time. */
export interface HealingStanding {
  /** The stricter of the signed policy and the configuration; without a policy `off`. */
  readonly mode: 'off' | 'dry_run' | 'on';
  readonly paused_by_order: number | null;
  readonly paused_by_hand: number | null;
  /** Rules of the content list in force, and those of them that cannot be used. */
  readonly rules: number;
  readonly rules_refused: number;
  readonly grants: number;
  /** The epoch of the log is one that nobody ordered: nothing is healed by itself until two persons enable it. */
  readonly memory_lost: boolean;
  /** Runbooks that are stopped until two persons enable healing: by the breaker of the site, or after a rollback that failed. */
  readonly stopped_runbooks: readonly string[];
  /** Incidents that are not closed, by state. */
  readonly incidents: Readonly<Record<string, number>>;
}

/** Times are Unix seconds of the wall clock. Nothing secret: the file is 0640 so that a technician's group may read it. */
export interface AgentStatus {
  readonly schema: 'compliance-agent/status/v1';
  readonly written_at: number;
  readonly started_at: number;
  readonly pid: number;
  readonly agent_version: string;
  readonly state: Lifecycle;
  /** The one reason that keeps the appliance from all its work, or null. */
  readonly blocking_reason: { readonly code: string; readonly sentence: string; readonly remedy: string } | null;
  /** The present one with its begin, or else the last one that was, also before a restart; null where none ever was. */
  readonly last_blocking_reason: LastBlocking | null;
  readonly mode: 'direct' | 'reseller';
  readonly partner_id: string | null;
  readonly site_id: string | null;
  readonly appliance_id: string | null;
  /** 16 base32 characters to compare with Central Command before confirming; null before the root is known. */
  readonly fingerprint: string | null;
  readonly central_url: string | null;
  readonly last_answer_at: number | null;
  /** Signed time minus wall clock at the last answer, seconds. */
  readonly clock_offset_s: number | null;
  /** On the wire, TLS included, over all days that are kept. */
  readonly bytes: { readonly sent: number; readonly received: number };
  readonly log: { readonly origin: string; readonly size: number; readonly root: string } | null;
  /** Of an epoch of the log that this appliance opened itself; null for any other. */
  readonly epoch: EpochOpened | null;
  readonly stored_size: number | null;
  /** Entries below are here as hashes only, but for those that are kept; 0 where nothing was pruned. */
  readonly pruned_below: number | null;
  /** The last checkpoint that the witness cosigned; null before the first. Entries beyond its size are unanchored. */
  readonly witnessed: { readonly size: number; readonly at: number } | null;
  /** The last checkpoint that an authority of `timestamp_ca_path` stamped, as it was checked when it came in; null without. */
  readonly timestamped: { readonly size: number; readonly at: number } | null;
  readonly queue: { readonly entries: number; readonly bytes: number } | null;
  readonly upload_parked: { readonly code: string; readonly sentence: string; readonly until: number } | null;
  readonly root_version: number | null;
  readonly content_version: number | null;
  readonly policy_version: number | null;
  /** The later end of both pauses. */
  readonly healing_paused_until: number | null;
  readonly healing: HealingStanding | null;
  readonly findings: readonly {
    readonly check: string;
    readonly target: string;
    readonly result: string;
    readonly sentence: string;
    readonly read_at: number;
  }[];
  /** Targets of the list in force; empty where none came or all expired. */
  readonly targets: readonly TargetStanding[];
  readonly stages: readonly StageStatus[];
  /** Plain sentences: keys lying in files, one person approving alone, expiries ahead. */
  readonly warnings: readonly string[];
  /** Where the device key lies: in a file of the agent's, or sealed as a credential with the key of the machine or also its TPM. */
  readonly device_key: 'file' | 'host' | 'host+tpm2';
}

export function writeStatus(stateDir: string, status: AgentStatus): void {
  writeFileAtomic(join(stateDir, STATUS_FILE), `${JSON.stringify(status, null, 1)}\n`, { mode: 0o640, sync: false });
}

/** The last status written, or null where the daemon never ran with this state directory. */
export function readStatus(stateDir: string): AgentStatus | null {
  const path = join(stateDir, STATUS_FILE);
  let bytes: string;
  try {
    bytes = readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new AgentError('status_unreadable', 'the status file cannot be read', { place: path, cause });
  }
  try {
    const value = JSON.parse(bytes) as AgentStatus;
    if (value.schema === 'compliance-agent/status/v1') return value;
  } catch {
    // falls through: not JSON and not ours get the same answer
  }
  throw new AgentError('status_unreadable', 'the status file is not one that this version wrote', { place: path });
}

/** One request dropped by the CLI. `name` is the file's name. */
export interface ControlDrop {
  readonly name: string;
  readonly verb: string;
  /** With `claim_code`: what a person typed, 32 hex digits. */
  readonly code?: string;
  /** With `healing_pause`: seconds. */
  readonly for_s?: number;
  /** With `learning_approve` and `learning_reject`: 64 hex digits; with the first also the digest of the drafted rule. */
  readonly pattern?: string;
  readonly rule?: string;
}

/**
 * Verbs that a drop may ask for; none of them can do more than look, try again sooner, show a claim code, keep healing from acting, or
 * note what a person says of a candidate, which puts nothing into force.
 */
export const CONTROL_VERBS = [
  'checkin_now',
  'check_now',
  'upload_now',
  'provision_now',
  'claim_code',
  'healing_pause',
  'learning_approve',
  'learning_reject',
] as const;
const DIGEST = /^[0-9a-f]{64}$/;
const CODE = /^[0-9a-f]{32}$/;
/** A pause by hand ends by itself: nobody on the appliance can end it. */
export const LONGEST_PAUSE_S = 30 * 86_400;

export function dropControl(
  stateDir: string,
  verb: (typeof CONTROL_VERBS)[number],
  name: string,
  extra: Pick<ControlDrop, 'code' | 'for_s' | 'pattern' | 'rule'> = {},
): void {
  const dir = join(stateDir, CONTROL_DIR);
  mkdirSync(dir, { recursive: true, mode: 0o770 });
  writeFileAtomic(join(dir, `${name}.json`), JSON.stringify({ verb, ...extra }), { mode: 0o660, sync: false });
}

/** Takes (and removes) what was dropped. Files that are no requests are removed too and returned with verb `unknown`. */
export function takeControlDrops(stateDir: string): ControlDrop[] {
  const dir = join(stateDir, CONTROL_DIR);
  let names: string[];
  try {
    names = readdirSync(dir).filter((n) => n.endsWith('.json'));
  } catch {
    return [];
  }
  return names.slice(0, MAX_CONTROL_FILES).map((name) => {
    const path = join(dir, name);
    let verb = 'unknown';
    let code: string | undefined;
    let forS: number | undefined;
    let about: Pick<ControlDrop, 'pattern' | 'rule'> = {};
    try {
      // Refuses what is no plain file: a named pipe would hold the daemon until somebody writes to it.
      const value: unknown = JSON.parse(readFileLimited(path, MAX_CONTROL_BYTES).toString('utf8'));
      const asked: Partial<Record<'verb' | 'code' | 'for_s' | 'pattern' | 'rule', unknown>> =
        typeof value === 'object' && value !== null ? value : {};
      verb = CONTROL_VERBS.find((v) => v === asked.verb) ?? 'unknown';
      if (verb === 'claim_code') {
        if (typeof asked.code === 'string' && CODE.test(asked.code)) code = asked.code;
        else verb = 'unknown';
      }
      if (verb === 'learning_approve' || verb === 'learning_reject') {
        const { pattern, rule } = asked;
        const isWhole = isDigest(pattern) && (isDigest(rule) || (rule === undefined && verb === 'learning_reject'));
        if (isWhole) about = { pattern, ...(rule === undefined ? {} : { rule }) };
        else verb = 'unknown';
      }
      if (verb === 'healing_pause') {
        if (isPause(asked.for_s)) forS = asked.for_s;
        else verb = 'unknown';
      }
    } catch {
      // unreadable or not JSON: an unknown request
    }
    rmSync(path, { force: true, recursive: true });
    const more = { ...(code === undefined ? {} : { code }), ...(forS === undefined ? {} : { for_s: forS }) };
    return { name, verb, ...more, ...about };
  });
}

const isDigest = (value: unknown): value is string => typeof value === 'string' && DIGEST.test(value);

const isPause = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value <= LONGEST_PAUSE_S;
