// `evidence show SEQ`: one entry whole, as the statement that was signed.
import { AgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { leafHash } from '../wire/merkle.ts';
import { parseEnvelope } from '../wire/dsse.ts';
import { MAX_ENTRY_BYTES } from '../wire/schemas/entry.ts';
import type { CliContext } from './deps.ts';
import { statementOf, summaryOf } from './entry-summary.ts';
import { stateDirOf, withEnrolledStore } from './open-state.ts';
import { print } from './print.ts';
import { harmless, utc } from './style.ts';

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
