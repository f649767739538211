// Turns findings, upkeep and alerts into entries. Each decision is in what-to-record.ts; here entry and state are
// committed in one unit, so that a crash leaves both or neither.
import { isAgentError } from '../errors/agent-error.ts';
import type { AgentError } from '../errors/agent-error.ts';
import { CODES } from '../errors/codes.ts';
import type { ErrorCode } from '../errors/codes.ts';
import type { FindingState, Store } from '../store/open-store.ts';
import type { Clock } from '../system/ports.ts';
import { jcsDigest } from '../wire/jcs.ts';
import type { EntryBody, EntryTarget } from '../wire/schemas/entry.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { CheckResult, Severity } from '../wire/schemas/primitives.ts';
import { added, gapOf, unwrittenIn, type GapReason, type Unwritten } from './left-unwritten.ts';
import type { EvidenceLog } from './log.ts';
import { sayableTime } from './statement.ts';
import { NO_PRESSURE, THINNED, worse, type StoragePressure } from './storage-pressure.ts';
import {
  changedState,
  DIGEST_INTERVAL_S,
  digestBodies,
  due,
  GAP_INTERVAL_S,
  HEARTBEAT_INTERVAL_S,
  heartbeatsDue,
  heartbeatsMissed,
  isStateChange,
  SCOPE_INTERVAL_S,
  unchangedOf,
  unchangedState,
} from './what-to-record.ts';
import type { Expected } from './what-to-record.ts';

export interface AlertOptions {
  readonly severity: Severity;
  /** Numbers, booleans, digests, versions and closed words; anything else is scrubbed away. */
  readonly details?: EntryBody<'alert'>['details'];
  /** Id of the target that it is about; each has an alert of its own then. Absent: the appliance. */
  readonly target?: string;
}

export interface AlertStanding {
  readonly code: ErrorCode;
  readonly severity: Severity;
  /** Null: it is about the appliance. */
  readonly target: string | null;
}

export interface Recorder {
  /**
   * Records what changed and counts what did not, in one unit. A finding that cannot be recorded does not stop the
   * others: its error is thrown after they are committed. `changed` holds the entries' seqs.
   */
  recordFindings(findings: readonly Finding[]): { changed: number[]; unchanged: number };
  /**
   * Writes the heartbeats, the digest and the scope that are due at `now` (Unix seconds), and signs for what was left out while
   * there was no room. Call it often.
   */
  upkeep(now: number): void;
  /** How short room is: what `upkeep` leaves out. Findings are recorded whatever it says. */
  setPressure(pressure: StoragePressure): void;
  /** What is expected to be observed from now on; a change is recorded at once. */
  setScope(expected: readonly Expected[]): void;
  /** Records that a condition began, or is of another severity now; false when it is known so. The sentence is the code's own. */
  raise(code: ErrorCode, options: AlertOptions): boolean;
  /** Records that a condition ended; false when it was not raised. */
  clear(code: ErrorCode, target?: string): boolean;
  /** Codes that are raised now, in the order of their names. */
  raised(): ErrorCode[];
  /** What is raised now, with what is known of each. */
  alerts(): AlertStanding[];
}

export interface RecorderOptions {
  readonly store: Store;
  readonly log: EvidenceLog;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly heartbeatIntervalS?: number;
  /** Told of each finding that was recorded, with the entry that it rests on, within the same unit. */
  readonly recorded?: (finding: Finding, seq: number) => void;
}

const SCOPE_KEY = 'evidence.scope';
const DIGEST_KEY = 'evidence.digest';
const ALERTS_KEY = 'evidence.alerts';
/** Followed by the id of a target: what was last recorded of it. */
export const TARGET_KEY = 'evidence.target.';

/** What a store says that takes nothing now. */
const REFUSALS = ['store_full', 'store_read_only', 'store_io'] as const;

interface Raised {
  readonly severity: Severity;
  readonly at: number;
}

export function createRecorder(options: RecorderOptions): Recorder {
  const { store, log, clock, heartbeatIntervalS = HEARTBEAT_INTERVAL_S, recorded } = options;
  const { findings, settings } = store;
  const nowS = (): number => sayableTime(clock.wallMs() / 1000);
  const load = <T>(key: string): T | null => {
    const text = settings.get(key);
    return text === null ? null : (JSON.parse(text) as T);
  };
  const save = (key: string, value: unknown): void => {
    const text = JSON.stringify(value);
    if (settings.get(key) !== text) settings.set(key, text);
  };
  let scope: readonly Expected[] = [];
  const unwritten = unwrittenIn(store);
  let pressure = NO_PRESSURE;
  /** What the store refused; in memory, as it takes nothing else either. */
  let refused: Unwritten | null = null;

  const isShort = (): boolean => worse(pressure.disk, pressure.cap) !== 'none';
  const isCritical = (): boolean => worse(pressure.disk, pressure.cap) === 'critical';
  const reason = (): GapReason => (pressure.disk === 'none' ? 'evidence_cap' : 'disk_low');
  const leaveOut = (now: number, counts: Readonly<Record<string, number>>): void =>
    unwritten.save(added(unwritten.load(), reason(), now, counts));

  /** Runs `fn`; where the store refuses it, `counts` are part of the next gap. */
  const orRefused = <T>(counts: Readonly<Record<string, number>>, fn: () => T): T => {
    try {
      return fn();
    } catch (error) {
      const code = isAgentError(error) ? REFUSALS.find((known) => known === error.code) : undefined;
      if (code !== undefined) refused = added(refused, code, nowS(), counts);
      throw error;
    }
  };

  /** One entry a day while it lasts, and one when there is room again. */
  const writeGaps = (now: number): void => {
    if (refused !== null) appendGap(refused);
    const open = unwritten.load();
    if (open === null || (isShort() && !due(open.from, now, GAP_INTERVAL_S))) return;
    appendGap({ ...open, to: now });
    unwritten.save(isShort() ? added(null, reason(), now, {}) : null);
  };

  const appendGap = (what: Unwritten): void => {
    const body = gapOf(what);
    if (body !== null) log.append('gap', body);
  };

  const writeHeartbeat = (targetId: string, states: readonly FindingState[], now: number): void => {
    const since = unwritten.load()?.from ?? null;
    const missed = since === null ? 0 : heartbeatsMissed(states, since, now, heartbeatIntervalS);
    if (missed > 0) leaveOut(now, { heartbeat: missed });
    const target = load<EntryTarget>(TARGET_KEY + targetId) ?? { id: targetId, role: 'unknown', os_build: null };
    log.append(
      'heartbeat',
      { target, unchanged: unchangedOf(states) },
      { observedFrom: Math.min(...states.map((state) => state.lastReadAt)), observedTo: now },
    );
    for (const state of states) findings.put({ ...state, runsSinceHeartbeat: 0, lastHeartbeatAt: now });
  };

  /** Before a change: the runs of a thinned hour are told by nothing else, and would read as not observed. */
  const tellRunsBefore = (state: FindingState): void => {
    const now = nowS();
    if (!isCritical() || state.runsSinceHeartbeat === 0 || !due(state.lastHeartbeatAt, now, heartbeatIntervalS)) return;
    writeHeartbeat(state.targetId, [state], now);
  };

  const recordOne = (finding: Finding): number | null =>
    store.unit(() => {
      const state = findings.get(finding.target.id, finding.check.id);
      if (state !== null && !isStateChange(finding, state)) {
        findings.put(unchangedState(finding, state));
        recorded?.(finding, state.sinceSeq);
        return null;
      }
      if (state !== null) tellRunsBefore(state);
      const { observed_from: observedFrom, observed_to: observedTo, ...body } = finding;
      const entry = log.append(
        'finding',
        {
          ...body,
          facts_read_at: sayableTime(finding.facts_read_at),
          previous_result: state === null ? null : (state.result as CheckResult),
        },
        { observedFrom, observedTo },
      );
      findings.put(changedState(finding, entry.seq, entry.body.facts_digest, nowS()));
      save(TARGET_KEY + finding.target.id, finding.target);
      recorded?.(finding, entry.seq);
      return entry.seq;
    });

  const writeScope = (now: number): void => {
    log.append('scope', { expected: [...scope] });
    save(SCOPE_KEY, { digest: jcsDigest(scope), at: now });
  };

  const repeatScope = (now: number): void => {
    const last = load<{ digest: string; at: number }>(SCOPE_KEY);
    if (scope.length === 0 || last === null || !due(last.at, now, SCOPE_INTERVAL_S)) return;
    if (!isShort()) return writeScope(now);
    leaveOut(now, { scope: 1 });
    save(SCOPE_KEY, { ...last, at: now });
  };

  const writeHeartbeats = (now: number): void => {
    const interval = heartbeatIntervalS * (isCritical() ? THINNED : 1);
    for (const { targetId, states } of heartbeatsDue(findings.all(), now, interval)) {
      writeHeartbeat(targetId, states, now);
    }
  };

  const writeDigest = (now: number): void => {
    const last = load<{ at: number; seq: number; epoch: number }>(DIGEST_KEY);
    const from = last?.epoch === log.epoch ? last.seq : 0;
    const to = log.size();
    if (last !== null) {
      if (!due(last.at, now, DIGEST_INTERVAL_S)) return;
      const counts = store.entries.countKinds(log.epoch, from, to);
      const range = { from_seq: from, to_seq: to, root: log.root(), counts };
      const bodies = digestBodies(range, findings.all());
      if (isShort()) {
        // The next one covers this day too.
        leaveOut(now, { digest: bodies.length });
        save(DIGEST_KEY, { ...last, at: now });
        return;
      }
      for (const body of bodies) log.append('digest', body);
    }
    // The first digest covers the first day: its clock starts with the log.
    save(DIGEST_KEY, { at: now, seq: last === null ? 0 : to, epoch: log.epoch });
  };

  /** By code, or by code and target. */
  const alerts = (): Record<string, Raised> => load<Record<string, Raised>>(ALERTS_KEY) ?? {};

  const writeAlert = (code: ErrorCode, state: 'raised' | 'cleared', given: AlertOptions): void => {
    const { when, remedy } = CODES[code];
    const { severity, target } = given;
    const details = { ...given.details, ...(target === undefined ? {} : { target }) };
    log.append('alert', { code, state, severity, sentence: when, remedy, details });
  };

  return {
    recordFindings: (given) =>
      orRefused({ observation: given.length }, () => {
        const changed: number[] = [];
        const failures: AgentError[] = [];
        store.unit(() => {
          for (const finding of given) {
            try {
              const seq = recordOne(finding);
              if (seq !== null) changed.push(seq);
            } catch (error) {
              if (!isAgentError(error) || error.code.startsWith('store_')) throw error;
              failures.push(error);
            }
          }
        });
        const [failure] = failures;
        if (failure !== undefined) throw failure;
        return { changed, unchanged: given.length - changed.length };
      }),
    upkeep: (given) => {
      const now = sayableTime(given);
      store.unit(() => {
        writeHeartbeats(now);
        writeDigest(now);
        repeatScope(now);
        writeGaps(now);
      });
      refused = null;
    },
    setPressure: (next) => {
      pressure = next;
      if (isShort() && unwritten.load() === null) leaveOut(nowS(), {});
    },
    setScope: (expected) => {
      scope = expected;
      store.unit(() => {
        if (load<{ digest: string }>(SCOPE_KEY)?.digest !== jcsDigest(expected)) writeScope(nowS());
      });
    },
    raise: (code, alert) =>
      store.unit(() => {
        const known = alerts();
        const key = alertKey(code, alert.target);
        if (known[key]?.severity === alert.severity) return false;
        writeAlert(code, 'raised', alert);
        save(ALERTS_KEY, { ...known, [key]: { severity: alert.severity, at: nowS() } });
        return true;
      }),
    clear: (code, target) =>
      store.unit(() => {
        const { [alertKey(code, target)]: raised, ...others } = alerts();
        if (raised === undefined) return false;
        writeAlert(code, 'cleared', { severity: raised.severity, ...(target === undefined ? {} : { target }) });
        save(ALERTS_KEY, others);
        return true;
      }),
    raised: () => [...new Set(Object.keys(alerts()).map(codeIn))].toSorted(),
    alerts: () =>
      Object.entries(alerts())
        // A newer version that an update went back from may have raised what this one has no words for.
        .filter(([key]) => Object.hasOwn(CODES, codeIn(key)))
        .map(([key, { severity }]) => ({ code: codeIn(key), severity, target: key.split('/')[1] ?? null })),
  };
}

/** Neither a code nor an id has a slash. */
const alertKey = (code: ErrorCode, target: string | undefined): string =>
  target === undefined ? code : `${code}/${target}`;
const codeIn = (key: string): ErrorCode => key.split('/')[0] as ErrorCode;
