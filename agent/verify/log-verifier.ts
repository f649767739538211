// `verify` checks what an appliance signed, for anyone who holds the partner's trust root: whole logs and receipts. Pure
// and streaming: memory does not grow with the log.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { ErrorCode } from '../errors/codes.ts';
import type { Opened } from '../trust/open-document.ts';
import type { AnchorLine } from '../wire/anchor-line.ts';
import { parseLeftOut, type LeftOut } from '../wire/left-out.ts';
import { CompactRange, leafHash } from '../wire/merkle.ts';
import type { Revocations, Root } from '../wire/schemas/root.ts';
import type { StampedFile } from '../wire/timestamp.ts';
import { anchoredRanges, type AnchoredRange, type Voucher } from './anchored-ranges.ts';
import {
  knownSizes,
  sizeInAnchor,
  sizeInCheckpoint,
  sizeInReceipt,
  sizeInRevocation,
  sizeInTimestamp,
  type KnownSize,
} from './known-sizes.ts';
import type { LogIdentity } from './log-identity.ts';
import { createTally, NO_TALLY, type Tally, type TallyState } from './log-tally.ts';
import { openEntry } from './open-entry.ts';

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
  /** Timestamps over checkpoints of this log, and the PEM certificates of the authorities that count; null: none does. */
  readonly timestamps?: readonly StampedFile[];
  readonly authorities?: readonly string[] | null;
  /** What the caller knows from elsewhere; what is of other logs is left alone. */
  readonly anchors?: readonly AnchorLine[];
  /** Opened list of the partner: of a log that it revokes, entries from that size on do not count. Null: none is known. */
  readonly revocations?: Revocations | null;
  /** Unix seconds; entries from the future are counted (clocks on site may be wrong; that does not make an entry false). */
  readonly now?: number;
}

export interface LogVerdict extends Tally {
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
  /** How many of them are known by roots of subtrees only: their lines are not in what was verified. */
  readonly leftOut: number;
  /** Receipts that this log was found to fulfil. */
  readonly receipts: number;
  /** Checkpoints likewise. */
  readonly checkpoints: number;
  /** Timestamps that fit; they vouch for entries only where the caller named the authority. */
  readonly timestamps: number;
  /** Anchors of the caller that this log was found to fulfil. */
  readonly anchors: number;
  /** The largest checkpoint that the witness cosigned, and when (Unix seconds). */
  readonly witnessed: { readonly size: number; readonly at: number } | null;
  readonly ranges: readonly AnchoredRange[];
}

/** All that a verifier knows between two lines, as plain JSON: a later one can go on from it. */
export interface LogVerifierState extends TallyState {
  readonly size: number;
  /** Hex, the compact range. */
  readonly hashes: readonly string[];
  readonly prev: string | null;
  readonly leftOut: number;
  /** The lines that say whose log it is. */
  readonly identity: readonly { readonly seq: number; readonly prev: string; readonly line: string }[];
  readonly witnessed: { readonly size: number; readonly at: number } | null;
  readonly vouched: Readonly<Partial<Record<Voucher, number>>>;
  readonly anchors: number;
}

export interface LogVerifier {
  /** The next line of the log, without its LF. Never throws for bad lines; after the first fault it does nothing. */
  push(line: string): void;
  /** Null after a fault: there is nothing to go on with. */
  state(): LogVerifierState | null;
  finish(): LogVerdict;
}

const NOTHING: LogVerifierState = {
  ...NO_TALLY,
  size: 0,
  hashes: [],
  prev: '0'.repeat(64),
  leftOut: 0,
  identity: [],
  witnessed: null,
  vouched: {},
  anchors: 0,
};

/** @param from where an earlier verifier with the same options stood; its lines are not pushed again */
export function createLogVerifier(o: LogVerifierOptions, from: LogVerifierState = NOTHING): LogVerifier {
  const range = CompactRange.from(
    from.size,
    from.hashes.map((hash) => Buffer.from(hash, 'hex')),
  );
  const { receipts = [], checkpoints = [], timestamps = [], anchors = [] } = o;
  const known = knownSizes();
  for (const receipt of receipts) known.add(sizeInReceipt(receipt));
  const tally = createTally(from, o.now);
  const identityLines: LogVerifierState['identity'][number][] = [];
  const vouched: Partial<Record<Voucher, number>> = { ...from.vouched };
  let identity: LogIdentity | null = null;
  /** Null after entries that are left out, the last one included: no line may follow. */
  let { prev, leftOut, witnessed, anchors: anchorsMet } = from;
  let trustedUntil = Number.POSITIVE_INFINITY;
  let fault: { code: ErrorCode; seq: number | null; sentence: string } | null = null;

  const compare = (expected: KnownSize): void => {
    const root = range.root();
    if (expected.root !== root.toString('hex')) {
      fault ??= {
        code: 'log_root_mismatch',
        seq: expected.size === 0 ? null : expected.size - 1,
        sentence: `the root over ${expected.size} entries is not the one that ${expected.source} names`,
      };
      return;
    }
    try {
      expected.check?.(root);
    } catch (error) {
      if (!isAgentError(error) || error.code === 'internal') throw error;
      fault ??= { code: error.code, seq: expected.size - 1, sentence: `${expected.source}: ${error.message}` };
      return;
    }
    // Sizes only rise; of several at one size the latest counts.
    const at = expected.witnessedAt;
    if (at !== null) witnessed = { size: expected.size, at: Math.max(at, witnessedAt(expected.size)) };
    if (expected.voucher !== null) vouched[expected.voucher] = expected.size;
    if (expected.isOutside === true) anchorsMet += 1;
  };

  const witnessedAt = (size: number): number => (witnessed?.size === size ? witnessed.at : 0);

  /** The log's key and name are known once entry 0 verified. False where a checkpoint does not hold. */
  const addKnown = ({ origin, device_spki: spki }: LogIdentity['bound']): boolean => {
    for (const stamp of timestamps) known.add(sizeInTimestamp(origin, stamp, o.authorities ?? null));
    const revoked = o.revocations?.origins.find((one) => one.origin === origin);
    if (revoked !== undefined) {
      trustedUntil = revoked.trust_until_size;
      known.add(sizeInRevocation(revoked));
    }
    for (const anchor of anchors) if (anchor.origin === origin) known.add(sizeInAnchor(anchor));
    try {
      for (const note of checkpoints) known.add(sizeInCheckpoint(o.root, note, { origin, spki }));
    } catch (error) {
      if (!isAgentError(error) || error.code === 'internal') throw error;
      fault = { code: error.code, seq: null, sentence: error.message };
    }
    return fault === null;
  };

  /** Not before entry 0: it says whose log this is. */
  const skip = ({ leaves, root }: LeftOut): void => {
    const unproven = known.between(range.size, range.size + leaves);
    if (unproven !== undefined) {
      throw new AgentError('left_out_invalid', `${unproven.source} ends within entries that are left out`);
    }
    try {
      range.appendSubtree(leaves, root);
    } catch (cause) {
      throw new AgentError('left_out_invalid', 'the entries left out are no subtree of the log', { cause });
    }
    leftOut += leaves;
    prev = leaves === 1 ? root.toString('hex') : null;
    known.at(range.size).forEach(compare);
  };

  const assertTrusted = (seq: number): void => {
    if (seq < trustedUntil) return;
    const below = trustedUntil === 0 ? 'none of it counts' : `the ${trustedUntil} entries below verify`;
    throw new AgentError('origin_revoked', `the partner revoked the log from entry ${trustedUntil} on; ${below}`);
  };

  const accept = (line: string): void => {
    const seq = range.size;
    assertTrusted(seq);
    const gone = identity === null ? null : parseLeftOut(line);
    if (gone !== null) return skip(gone);
    if (prev === null) {
      throw new AgentError('left_out_invalid', 'the leaf before this line is not among what is left out before it');
    }
    const entry = openEntry(line, { ...o, seq, prev, identity });
    const foreign = seq === 0 ? known.ofOtherLog(entry.statement.predicate.origin) : undefined;
    if (foreign !== undefined) {
      throw new AgentError('receipt_mismatch', `${foreign.source} is for the log ${foreign.origin}`);
    }
    if (seq === 0 && !addKnown(entry.identity.bound)) return;
    assertTrusted(seq);
    if (entry.identity !== identity) identityLines.push({ seq, prev, line });
    const leaf = leafHash(line);
    range.append(leaf);
    prev = leaf.toString('hex');
    identity = entry.identity;
    tally.add(entry.statement.predicate);
    known.at(range.size).forEach(compare);
  };

  for (const one of from.identity) {
    identity = openEntry(one.line, { ...o, seq: one.seq, prev: one.prev, identity }).identity;
    identityLines.push(one);
  }
  if (identity !== null) addKnown(identity.bound);

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
    state() {
      if (fault !== null) return null;
      const hashes = range.hashes().map((hash) => hash.toString('hex'));
      const stand = { size: range.size, hashes, prev, leftOut, witnessed, vouched, anchors: anchorsMet };
      return { ...tally.state(), ...stand, identity: identityLines };
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
      const { previousAt: _, ...counted } = tally.state();
      const ofGood = (count: number): number => (fault === null ? count : 0);
      return {
        ok: fault === null,
        code: fault?.code ?? null,
        seq: fault?.seq ?? null,
        sentence:
          fault?.sentence ??
          (leftOut === 0
            ? `all ${range.size} entries verify`
            : `${range.size - leftOut} of ${range.size} entries are here and verify`),
        origin: identity?.bound.origin ?? null,
        status: identity?.status ?? null,
        size: range.size,
        root: range.root().toString('hex'),
        leftOut,
        ...counted,
        receipts: ofGood(receipts.length),
        checkpoints: ofGood(checkpoints.length),
        timestamps: ofGood(timestamps.length),
        anchors: ofGood(anchorsMet),
        witnessed,
        ranges: anchoredRanges(range.size, vouched),
      };
    },
  };
}
