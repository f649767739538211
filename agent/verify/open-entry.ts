// One line of a log: its form, its signature, its place in the chain, and whose log it says it is in.
import { AgentError } from '../errors/agent-error.ts';
import { verifyStrict } from '../trust/verify-signature.ts';
import { parseDocument } from '../wire/document.ts';
import { pae, parseEnvelope, type Envelope } from '../wire/dsse.ts';
import { verifyWithNode } from '../wire/node-signature.ts';
import { MAX_ENTRY_BYTES, type Predicate, type Statement } from '../wire/schemas/entry.ts';
import { DOCUMENTS } from '../wire/schemas/payload-types.ts';
import type { Root } from '../wire/schemas/root.ts';
import { firstIdentity, isSameLog, renewedIdentity, type LogIdentity } from './log-identity.ts';

export interface EntryContext {
  readonly root: Root;
  readonly earlierRoots?: readonly Root[];
  readonly secondOpinion?: boolean;
  /** Where the line stands, and the hex leaf hash of the line before it. */
  readonly seq: number;
  readonly prev: string;
  /** Null for entry 0, which brings it. */
  readonly identity: LogIdentity | null;
}

export interface OpenedEntry {
  readonly statement: Statement;
  readonly envelope: Envelope;
  readonly identity: LogIdentity;
}

/**
 * Verifies one line as entry `seq`. Entry 0's payload has to be read before its signature can be checked, for it brings
 * the key; what it says counts only once both signatures hold.
 *
 * @throws the code of the first thing that does not hold
 */
export function openEntry(line: string, ctx: EntryContext): OpenedEntry {
  const envelope = parseEnvelope(line, { maxBytes: MAX_ENTRY_BYTES });
  if (envelope.payloadType !== DOCUMENTS.entry.payloadType) {
    throw new AgentError('payload_type_mismatch', 'the line is not an evidence entry');
  }
  if (envelope.signatures.length !== 1) {
    throw new AgentError('entry_signature_count', `an entry carries one signature, not ${envelope.signatures.length}`);
  }
  if (ctx.identity !== null) {
    checkSignature(envelope, ctx.identity, ctx.secondOpinion);
    const statement = parseDocument('entry', envelope.payload);
    checkPlace(statement.predicate, ctx, ctx.identity);
    return { statement, envelope, identity: renewedIdentity(statement.predicate, ctx, ctx.identity) };
  }
  const statement = parseDocument('entry', envelope.payload);
  const identity = firstIdentity(statement.predicate, ctx);
  checkSignature(envelope, identity, ctx.secondOpinion);
  checkPlace(statement.predicate, ctx, identity);
  return { statement, envelope, identity };
}

function checkSignature(envelope: Envelope, identity: LogIdentity, secondOpinion: boolean | undefined): void {
  const [signature] = envelope.signatures;
  const spki = identity.bound.device_spki;
  const verify = secondOpinion === true ? verifyStrict : verifyWithNode;
  // The keyid is not signed: another one would be a second line with the same meaning.
  if (signature === undefined || signature.keyid !== identity.keyid) {
    throw new AgentError('signature_invalid', 'the entry names another key than its log is bound to');
  }
  if (!verify(spki, pae(envelope.payloadType, envelope.payload), signature.sig)) {
    throw new AgentError('signature_invalid', 'the signature of the entry does not verify');
  }
}

function checkPlace(predicate: Predicate, ctx: EntryContext, identity: LogIdentity): void {
  const { bound } = identity;
  if (!isSameLog(predicate, bound))
    throw new AgentError('entry_origin', 'the entry says that it belongs to another log');
  if (predicate.seq !== ctx.seq) {
    throw new AgentError('entry_seq', `entry ${ctx.seq} was expected here, this is entry ${predicate.seq}`);
  }
  if (predicate.prev !== ctx.prev) {
    throw new AgentError('entry_prev', 'the entry does not follow the one before it');
  }
  if (predicate.observed_from > predicate.observed_to) {
    throw new AgentError('entry_time', 'the observation ends before it begins');
  }
}
