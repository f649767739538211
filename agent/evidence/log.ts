// Evidence: what was observed and done, as signed statements in one append-only log. An entry is scrubbed, built, signed
// and stored in one transaction; when `append` returns inside no other unit, the entry is on the disk.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { Store } from '../store/open-store.ts';
import type { Clock, Ids } from '../system/ports.ts';
import type { Opened } from '../trust/open-document.ts';
import { encodeDocument } from '../wire/document.ts';
import { encodeEnvelope, parseEnvelope, signEnvelope, toEmbedded } from '../wire/dsse.ts';
import type { Signer } from '../wire/dsse.ts';
import { sha256Hex } from '../wire/digest.ts';
import { CompactRange, leafHash } from '../wire/merkle.ts';
import { MAX_ENTRY_BYTES } from '../wire/schemas/entry.ts';
import type { EntryBody, EntryKind, Statement } from '../wire/schemas/entry.ts';
import { DOCUMENTS } from '../wire/schemas/payload-types.ts';
import type { PlainJson } from '../wire/schemas/primitives.ts';
import { TILE_HASHES } from '../wire/tiles.ts';
import { assertContinues } from './check-log.ts';
import { reduceFacts } from './reduce-facts.ts';
import { POLICY_DIGEST, scrub } from './scrub.ts';
import { aboutOf, sayableTime, statementOf } from './statement.ts';
import type { EntryContext, StatedLog, Subject } from './statement.ts';
import { completeTiles } from './tiles.ts';

export type { EntryContext, Subject } from './statement.ts';

const NO_PREVIOUS = '0'.repeat(64);

export interface AppendOptions {
  /** Unix seconds; both default to now. */
  readonly observedFrom?: number;
  readonly observedTo?: number;
  /** Artefact that the statement is about, where it is not the kind's own (facts, order, entry before). */
  readonly subject?: Subject;
}

export interface Appended<K extends EntryKind> {
  readonly seq: number;
  /** SHA-256 of the statement's bytes, hex. */
  readonly digest: string;
  /** The body as it was signed: scrubbed and, where it was too large, reduced. */
  readonly body: EntryBody<K>;
}

export interface EvidenceLog {
  readonly origin: string;
  readonly epoch: number;
  /**
   * Signs and stores one entry; joins a running unit. Throws `entry_too_large` or `schema_invalid` before anything is
   * written, and the store's errors.
   */
  append<K extends EntryKind>(kind: K, body: EntryBody<K>, options?: AppendOptions): Appended<K>;
  size(): number;
  /** RFC 6962 root over all entries, hex. */
  root(): string;
  /** Whoever holds this log writes to the next epoch's from now on: work that is under way when an epoch ends loses nothing. */
  continueIn(next: EvidenceLog): void;
}

/** An epoch that begins before the registrar has bound it. */
export interface EpochOpening {
  readonly epoch: number;
  readonly log: StatedLog;
  /** SPKI of the new device key. */
  readonly deviceSpki: string;
  /** Of entry 0. */
  readonly body: EntryBody<'epoch'>;
}

export interface EvidenceLogOptions {
  readonly store: Store;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly ids: Pick<Ids, 'uuidv7'>;
  /** The device key that the binding names. */
  readonly signer: Signer;
  readonly binding: Opened<'binding'>;
  /** Instead of the binding, which is that of the epoch before then. */
  readonly opening?: EpochOpening | null;
  readonly context: () => EntryContext;
}

/**
 * The log of the binding's epoch, or of the one that `opening` begins. Checks the end of what is there and writes entry 0 (the
 * binding, or the succession) into an empty log.
 * Throws `evidence_binding_mismatch` for a key or a store that belongs to another binding, `store_corrupt` for damage.
 */
export function createEvidenceLog(options: EvidenceLogOptions): EvidenceLog {
  const { store, clock, ids, signer, context } = options;
  const { opening = null } = options;
  const binding = opening?.log ?? options.binding.value;
  const { epoch } = opening ?? options.binding.value;
  const { origin } = binding;
  if ((opening?.deviceSpki ?? options.binding.value.device_spki) !== signer.spki) {
    throw new AgentError('evidence_binding_mismatch', 'the device key is not the one that the binding names');
  }
  assertContinues(store, epoch, origin, signer.keyid);
  // An earlier version of the agent appends without tiles.
  completeTiles(store, epoch);

  let successor: EvidenceLog | null = null;
  const log: EvidenceLog = {
    get origin() {
      return successor?.origin ?? origin;
    },
    get epoch() {
      return successor?.epoch ?? epoch;
    },
    continueIn: (next) => {
      successor = next;
    },
    size: () => successor?.size() ?? store.entries.state(epoch).size,
    root: () => {
      if (successor !== null) return successor.root();
      const { size, range } = store.entries.state(epoch);
      return CompactRange.from(size, range).root().toString('hex');
    },
    append: (kind, given, options = {}) => {
      if (successor !== null) return successor.append(kind, given, options);
      const { observedFrom, observedTo, subject } = options;
      return store.unit(() => {
        const { body, counts } = keep(kind, given);
        const now = sayableTime(clock.wallMs() / 1000);
        const { size: seq, lastLeaf, range } = store.entries.state(epoch);
        const statement = statementOf({
          kind,
          body,
          binding,
          seq,
          prev: lastLeaf === null ? NO_PREVIOUS : lastLeaf.toString('hex'),
          bundleId: ids.uuidv7(),
          observedFrom: observedFrom ?? observedTo ?? now,
          observedTo: observedTo ?? now,
          context: context(),
          redaction: { policy_digest: POLICY_DIGEST, counts },
          subject,
        });
        const { line, digest } = signEntry(statement, signer, kind, seq);
        const leaf = leafHash(line);
        const tree = CompactRange.from(seq, range);
        tree.append(leaf);
        store.entries.append({
          epoch,
          seq,
          kind,
          ...aboutOf(body),
          observedTo: statement.predicate.observed_to,
          line,
          leaf,
          range: tree.hashes(),
        });
        if (tree.size % TILE_HASHES === 0) completeTiles(store, epoch);
        return { seq, digest, body };
      });
    },
  };

  if (log.size() === 0) {
    const { line, value } = options.binding;
    const embedded = toEmbedded(parseEnvelope(line, { maxBytes: MAX_ENTRY_BYTES }));
    log.append('epoch', opening?.body ?? { binding: embedded, status: value.status });
  }
  return log;
}

/** The scrubbed body; facts and results that are too large are cut, and the digest of cut facts is of what was kept. */
function keep<K extends EntryKind>(kind: K, given: EntryBody<K>): ReturnType<typeof scrub<K>> {
  const scrubbed = scrub(kind, given);
  const body: Record<string, unknown> = { ...scrubbed.body };
  let cut = 0;
  for (const key of ['facts', 'result', 'pre_state', 'post_state', 'details']) {
    const member = body[key];
    if (typeof member !== 'object' || member === null) continue;
    const { value, truncated } = reduceFacts(member as Record<string, PlainJson>);
    if (!truncated) continue;
    body[key] = value;
    cut += 1;
  }
  if (cut === 0) return scrubbed;
  return { body: body as unknown as EntryBody<K>, counts: { ...scrubbed.counts, truncated: cut } };
}

function signEntry(
  statement: Statement,
  signer: Signer,
  kind: EntryKind,
  seq: number,
): { line: string; digest: string } {
  const details = { kind, seq };
  let payload: Buffer;
  try {
    payload = encodeDocument('entry', statement);
  } catch (error) {
    if (!isAgentError(error) || error.code !== 'json_too_large') throw error;
    throw new AgentError('entry_too_large', 'the entry is too large to be signed', { details, cause: error });
  }
  const line = encodeEnvelope(signEnvelope(DOCUMENTS.entry.payloadType, payload, [signer]));
  if (line.length > MAX_ENTRY_BYTES) {
    throw new AgentError('entry_too_large', `the entry has ${line.length} bytes`, { details });
  }
  return { line, digest: sha256Hex(payload) };
}
