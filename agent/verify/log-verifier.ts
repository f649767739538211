// `verify` checks what an appliance signed, for anyone who holds the partner's trust root: whole logs and receipts. Pure
// and streaming: memory does not grow with the log.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { ErrorCode } from '../errors/codes.ts';
import type { Opened } from '../trust/open-document.ts';
import { CompactRange, leafHash } from '../wire/merkle.ts';
import type { EntryKind } from '../wire/schemas/entry.ts';
import type { CheckResult } from '../wire/schemas/primitives.ts';
import type { Root } from '../wire/schemas/root.ts';
import type { LogIdentity } from './log-identity.ts';
import { openEntry } from './open-entry.ts';
import { anchoredRanges, type AnchoredRange } from './anchored-ranges.ts';
import { knownSizes, sizeInCheckpoint, sizeInReceipt, type KnownSize } from './known-sizes.ts';

export interface LogVerifierOptions {
  /** The trust root in force. */
  readonly root: Root;
  /** Earlier versions of it: a log may begin under a registrar key that has been replaced since. */
  readonly earlierRoots?: readonly Root[];
  /** Also check each entry with @noble/ed25519 (about ten times slower). */
  readonly secondOpinion?: boolean;
  /** Opened receipts of this log: its root at their size must be theirs, and it must be at least that long. */
  readonly receipts?: readonly Opened<'receipt'>[];
  /**
   * Checkpoints of this log, each a whole signed note: each must be by the log's key, its root that of the log at its size,
   * and the log at least that long. Those that the witness of the trust root cosigned anchor the entries below them.
   */
  readonly checkpoints?: readonly string[];
  /** Unix seconds; entries from the future are counted (clocks on site may be wrong; that does not make an entry false). */
  readonly now?: number;
}

export interface LogVerdict {
  readonly ok: boolean;
  /** Code of the first fault, else null. */
  readonly code: ErrorCode | null;
  /** Position (0-based) of the first line that does not hold, else null. */
  readonly seq: number | null;
  /** One plain sentence. */
  readonly sentence: string;
  readonly origin: string | null;
  /** `provisional` until people have confirmed the epoch; `unbound` before the registrar has bound it (`epoch_unbound`). */
  readonly status: LogIdentity['status'] | null;
  /** Entries that were verified: those before the first fault. */
  readonly size: number;
  /** Hex Merkle root over them. */
  readonly root: string;
  readonly counts: Readonly<Partial<Record<EntryKind, number>>>;
  /** Findings by result. */
  readonly results: Readonly<Partial<Record<CheckResult, number>>>;
  /** Refused orders by code. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Smallest observed_from and largest observed_to, Unix seconds. */
  readonly firstAt: number | null;
  readonly lastAt: number | null;
  /** Entries whose time is before that of their predecessor, or after `now`: no fault, but worth a look. */
  readonly odd: { readonly backwards: number; readonly future: number };
  /** Receipts that this log was found to fulfil. */
  readonly receipts: number;
  /** Checkpoints likewise. */
  readonly checkpoints: number;
  /** The largest one of them that the witness cosigned, and when (Unix seconds). */
  readonly witnessed: { readonly size: number; readonly at: number } | null;
  readonly ranges: readonly AnchoredRange[];
}

export interface LogVerifier {
  /** The next line of the log, without its LF. Never throws for bad lines; after the first fault it does nothing. */
  push(line: string): void;
  finish(): LogVerdict;
}

/** Tolerated before an entry counts as being from the future, seconds. */
const FUTURE_TOLERANCE_S = 300;

export function createLogVerifier(o: LogVerifierOptions): LogVerifier {
  const range = CompactRange.from(0, []);
  const { receipts = [], checkpoints = [] } = o;
  const known = knownSizes();
  for (const receipt of receipts) known.add(sizeInReceipt(receipt));
  const counts: Partial<Record<EntryKind, number>> = {};
  const results: Partial<Record<CheckResult, number>> = {};
  const refusals = new Map<string, number>();
  const odd = { backwards: 0, future: 0 };
  let identity: LogIdentity | null = null;
  let prev = '0'.repeat(64);
  let firstAt: number | null = null;
  let lastAt: number | null = null;
  let previousAt = 0;
  let witnessed: { size: number; at: number } | null = null;
  let fault: { code: ErrorCode; seq: number | null; sentence: string } | null = null;

  const compare = (expected: KnownSize): void => {
    if (range.root().toString('hex') === expected.root) {
      // Sizes only rise; of several at one size the latest counts.
      const at = expected.witnessedAt;
      if (at !== null) witnessed = { size: expected.size, at: Math.max(at, witnessedAt(expected.size)) };
    } else {
      fault ??= {
        code: 'log_root_mismatch',
        seq: expected.size === 0 ? null : expected.size - 1,
        sentence: `the root over ${expected.size} entries is not the one that ${expected.source} names`,
      };
    }
  };

  const witnessedAt = (size: number): number => (witnessed?.size === size ? witnessed.at : 0);

  /** The log's key is known once entry 0 verified. False where a checkpoint does not hold. */
  const openCheckpoints = ({ origin, device_spki: spki }: LogIdentity['bound']): boolean => {
    try {
      for (const note of checkpoints) known.add(sizeInCheckpoint(o.root, note, { origin, spki }));
    } catch (error) {
      if (!isAgentError(error) || error.code === 'internal') throw error;
      fault = { code: error.code, seq: null, sentence: error.message };
    }
    return fault === null;
  };

  const accept = (line: string): void => {
    const seq = range.size;
    const entry = openEntry(line, { ...o, seq, prev, identity });
    const foreign = seq === 0 ? known.ofOtherLog(entry.statement.predicate.origin) : undefined;
    if (foreign !== undefined) {
      throw new AgentError('receipt_mismatch', `${foreign.source} is for the log ${foreign.origin}`);
    }
    if (seq === 0 && !openCheckpoints(entry.identity.bound)) return;
    const leaf = leafHash(line);
    range.append(leaf);
    prev = leaf.toString('hex');
    identity = entry.identity;
    const { predicate } = entry.statement;
    counts[predicate.kind] = (counts[predicate.kind] ?? 0) + 1;
    if (predicate.kind === 'finding') results[predicate.result] = (results[predicate.result] ?? 0) + 1;
    if (predicate.kind === 'order' && predicate.state === 'refused') {
      const why = predicate.code ?? 'none';
      refusals.set(why, (refusals.get(why) ?? 0) + 1);
    }
    firstAt = Math.min(firstAt ?? predicate.observed_from, predicate.observed_from);
    lastAt = Math.max(lastAt ?? predicate.observed_to, predicate.observed_to);
    if (predicate.observed_to < previousAt) odd.backwards += 1;
    if (o.now !== undefined && predicate.observed_to > o.now + FUTURE_TOLERANCE_S) odd.future += 1;
    previousAt = predicate.observed_to;
    known.at(range.size).forEach(compare);
  };

  return {
    push(line) {
      if (fault !== null) return;
      try {
        accept(line);
      } catch (error) {
        if (!isAgentError(error) || error.code === 'internal') throw error;
        fault = { code: error.code, seq: range.size, sentence: error.message };
      }
    },
    finish() {
      if (fault === null && range.size === 0) {
        fault = { code: 'log_empty', seq: null, sentence: 'there is no entry, and so no binding' };
      }
      if (fault === null && identity?.status === 'unbound') {
        const sentence = 'the log begins with a succession, and carries no binding of the registrar';
        fault = { code: 'epoch_unbound', seq: 0, sentence };
      }
      const missing = known.beyond(range.size);
      if (fault === null && missing !== undefined) {
        fault = {
          code: 'log_truncated',
          seq: range.size,
          sentence: `the log ends after ${range.size} entries, but ${missing.source} confirms ${missing.size}`,
        };
      }
      return {
        ok: fault === null,
        code: fault?.code ?? null,
        seq: fault?.seq ?? null,
        sentence: fault?.sentence ?? `all ${range.size} entries verify`,
        origin: identity?.bound.origin ?? null,
        status: identity?.status ?? null,
        size: range.size,
        root: range.root().toString('hex'),
        counts,
        results,
        refusals: Object.fromEntries(refusals),
        firstAt,
        lastAt,
        odd,
        receipts: fault === null ? receipts.length : 0,
        checkpoints: fault === null ? checkpoints.length : 0,
        witnessed,
        ranges: anchoredRanges(range.size, witnessed?.size ?? 0),
      };
    },
  };
}
