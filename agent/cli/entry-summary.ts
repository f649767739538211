// One evidence entry in one line, and the entry out of its line. Pure.
import { alertTarget } from '../report/alert-target.ts';
import { parseStrict } from '../wire/strict-json.ts';
import { parseEnvelope } from '../wire/dsse.ts';
import { MAX_ENTRY_BYTES, type Predicate, type Statement } from '../wire/schemas/entry.ts';

/** The statement in a line of the log, read and not verified. @throws what parseEnvelope and parseStrict throw */
export function statementOf(line: string): Statement {
  const envelope = parseEnvelope(line, { maxBytes: MAX_ENTRY_BYTES });
  return parseStrict(envelope.payload, { maxBytes: MAX_ENTRY_BYTES }) as Statement;
}

const list = (counts: Readonly<Record<string, number | undefined>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${count ?? 0} ${name}`)
    .join(', ');

/** What an entry says, for people. */
export function summaryOf(entry: Predicate): string {
  switch (entry.kind) {
    case 'epoch':
      if (entry.confirmation !== undefined) return 'people have confirmed this epoch';
      if (entry.ended === undefined)
        return `${entry.seq === 0 ? 'log opened' : 'bound by the registrar'}, ${entry.status}`;
      return `opened by the appliance after ${entry.ended.old_origin} ended: ${entry.ended.cause}; ${entry.status}`;
    case 'scope':
      return `${entry.expected.length} observations expected`;
    case 'finding': {
      const before = entry.previous_result === null ? '' : ` (was ${entry.previous_result})`;
      return `${entry.check.id} on ${entry.target.id}: ${entry.result}${before}. ${entry.sentence}`;
    }
    case 'action':
      return `${entry.phase} on ${entry.target.id}${entry.outcome === undefined ? '' : `: ${entry.outcome}`}`;
    case 'incident':
      return `${entry.check.id} on ${entry.target.id}: ${entry.state}. ${entry.sentence}`;
    case 'order': {
      const code = entry.code === undefined ? '' : ` ${entry.code}`;
      const outcome = entry.outcome === undefined ? '' : ` ${entry.outcome}`;
      return `${entry.order_kind ?? 'unreadable'} ${entry.state}${outcome}${code}. ${entry.sentence}`;
    }
    case 'trust':
      return `${entry.what} version ${entry.version} in force. ${entry.sentence}`;
    case 'heartbeat':
      return `unchanged on ${entry.target.id}: ${entry.unchanged.map((one) => `${one.check} ${one.result}`).join(', ')}`;
    case 'digest':
      return `entries ${entry.from_seq} to ${entry.to_seq}: ${list(entry.counts)}`;
    case 'gap':
      return `${entry.reason}: ${list(entry.dropped)} dropped. ${entry.sentence}`;
    case 'waiver':
      return `${entry.waiver_id} for ${entry.check_id} on ${entry.target_id}: ${entry.state}`;
    case 'ticket':
      return `${entry.state}. ${entry.sentence}`;
    case 'learning':
      return `pattern ${entry.pattern_sha256.slice(0, 12)}: ${entry.state}`;
    case 'transmission':
      return `${entry.what} to ${entry.output}: ${entry.state}`;
    case 'alert': {
      const target = alertTarget(entry);
      return `${entry.code}${target === null ? '' : ` on ${target}`} ${entry.state}. ${entry.sentence}`;
    }
  }
}
