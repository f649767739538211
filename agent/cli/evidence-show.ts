// `evidence show SEQ`: one entry whole, as the statement that was signed.
import { AgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { leafHash } from '../wire/merkle.ts';
import { parseEnvelope } from '../wire/dsse.ts';
import { MAX_ENTRY_BYTES } from '../wire/schemas/entry.ts';
import type { CliContext } from './deps.ts';
import { logRows } from '../evidence/log-rows.ts';
import type { EnrolledIdentity, Store } from '../store/open-store.ts';
import { maxLineBytes, parseDocument } from '../wire/document.ts';
import { statementOf, summaryOf } from './entry-summary.ts';
import { stateDirOf, withEnrolledStore } from './open-state.ts';
import { print } from './print.ts';
import { harmless, utc } from './style.ts';

const MAX_RECEIPT_BYTES = maxLineBytes('receipt');

/** What is left of it, and who has the line. */
function prunedEntry(store: Store, identity: EnrolledIdentity, epoch: number, seq: number): AgentError {
  const [row] = logRows(store, epoch, seq, seq + 1).next().value ?? [];
  const leaf = row?.leaf?.toString('hex') ?? 'unknown';
  const origin = identity.origin.replace(/[0-9]+$/, String(epoch));
  const receipt = store.uplink.receipts(origin).find(({ size }) => size > seq);
  const object = receipt === undefined ? null : receiptObject(receipt.line);
  const where = object === null ? '' : `; the receipt names the object ${object}`;
  return new AgentError('entry_pruned', `entry ${seq} was pruned, its hash is ${leaf}${where}`, {
    details: { epoch, seq },
  });
}

/** Unverified: a hint where to look. */
const receiptObject = (line: string): string => {
  const { object_id: id, store } = parseDocument(
    'receipt',
    parseEnvelope(line, { maxBytes: MAX_RECEIPT_BYTES }).payload,
  );
  return harmless(`${id} in ${store}`);
};

export async function evidenceShow(
  context: CliContext,
  seq: number,
  options: { epoch?: number; line?: boolean },
): Promise<number> {
  return withEnrolledStore(context, stateDirOf(context), (store, identity) => {
    const epoch = options.epoch ?? identity.epoch;
    const row = store.entries.get(epoch, seq);
    if (row === null) {
      const { size } = store.entries.state(epoch);
      if (seq < Math.min(size, store.prunes.get(epoch)?.size ?? 0)) throw prunedEntry(store, identity, epoch, seq);
      const sentence = `epoch ${epoch} holds ${size} entries and none with the number ${seq}`;
      throw new AgentError('entry_unknown', sentence, { details: { epoch, size } });
    }
    if (options.line === true) {
      context.stdout.write(`${row.line}\n`);
      return EXIT.ok;
    }
    const statement = statementOf(row.line);
    const [signature] = parseEnvelope(row.line, { maxBytes: MAX_ENTRY_BYTES }).signatures;
    const leaf = leafHash(row.line).toString('hex');
    const keyid = signature?.keyid ?? null;
    const isStored = seq < store.uplink.pointer(identity.origin);
    print(context, 'evidence-show', { seq, epoch, leaf, keyid, stored: isStored, statement, line: row.line }, () => [
      `entry ${seq} of ${harmless(statement.predicate.origin)}: ${row.kind}, ${utc(row.observedTo)}`,
      harmless(summaryOf(statement.predicate)),
      `leaf ${leaf}, signed by key ${keyid ?? 'unknown'}, ${isStored ? 'stored' : 'not yet stored'} at Central Command`,
      '',
      harmless(JSON.stringify(statement, null, 2)),
    ]);
    return EXIT.ok;
  });
}
