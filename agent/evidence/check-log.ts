// What is looked at before a log is continued: its end must be what was signed, under this binding.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { Store } from '../store/open-store.ts';
import { parseEnvelope } from '../wire/dsse.ts';
import { CompactRange, leafHash } from '../wire/merkle.ts';
import { logTree } from './log-tree.ts';
import { MAX_ENTRY_BYTES } from '../wire/schemas/entry.ts';

/**
 * Newest entries that are hashed again at the start. A log that holds no more lines is checked whole, root included: from what
 * the tiles say of the pruned lines on.
 */
const CHECKED_ENTRIES = 1_024;

/**
 * Throws `store_corrupt` where a line does not hash to its leaf, a leaf is missing, or the compact range leads to another
 * root; `evidence_binding_mismatch` where the newest entry belongs to another origin or another device key.
 */
export function assertContinues(store: Store, epoch: number, origin: string, keyid: string): void {
  const { size, lastLeaf, range } = store.entries.state(epoch);
  const place = `evidence log, epoch ${epoch}`;
  const damaged = (seq: number): AgentError =>
    new AgentError('store_corrupt', `entry ${seq} of the evidence log is damaged`, { place, details: { seq } });
  const pruned = store.prunes.get(epoch)?.size ?? 0;
  if (pruned > size) throw damaged(size);
  const expected = Math.min(size - pruned, CHECKED_ENTRIES);
  const tail = store.entries.tail(epoch, expected);
  const first = size - expected;
  if (tail.length !== expected) throw damaged(first);
  tail.forEach(({ seq, line, leaf }, i) => {
    if (seq !== first + i || !leafHash(line).equals(leaf)) throw damaged(first + i);
  });
  const last = tail.at(-1);
  if (last === undefined && size > 0) throw damaged(size - 1);
  if (last === undefined) return;
  if (lastLeaf === null || !lastLeaf.equals(last.leaf)) throw damaged(last.seq);
  try {
    const root = CompactRange.from(size, range).root();
    if (first === pruned) {
      const again = logTree(store, epoch).rangeAt(pruned);
      for (const { leaf } of tail) again.append(leaf);
      if (!again.root().equals(root)) throw damaged(last.seq);
    }
    assertBound(last.line, origin, keyid, place);
  } catch (error) {
    if (isAgentError(error) && (error.code === 'evidence_binding_mismatch' || error.code === 'store_corrupt'))
      throw error;
    throw new AgentError('store_corrupt', 'the evidence log cannot be read', { place, cause: error });
  }
}

function assertBound(line: string, origin: string, keyid: string, place: string): void {
  const envelope = parseEnvelope(line, { maxBytes: MAX_ENTRY_BYTES, place });
  const statement = JSON.parse(envelope.payload.toString()) as { predicate?: { origin?: unknown } };
  if (statement.predicate?.origin !== origin) {
    throw new AgentError('evidence_binding_mismatch', 'the log in the store has another origin than the binding', {
      place,
    });
  }
  if (envelope.signatures[0]?.keyid !== keyid) {
    throw new AgentError('evidence_binding_mismatch', 'the log in the store was written with another device key', {
      place,
    });
  }
}
