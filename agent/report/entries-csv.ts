// One row per entry for spreadsheets (RFC 4180, CRLF). A view: what a row leaves out stands in the entry. Pure.
import type { Predicate } from '../wire/schemas/entry.ts';
import { alertTarget } from './alert-target.ts';

export const CSV_HEAD = row([
  'appliance',
  'epoch',
  'seq',
  'observed_from',
  'observed_to',
  'kind',
  'target',
  'check',
  'result',
  'code',
  'severity',
  'sentence',
  'controls',
  'facts_digest',
]);

const utc = (unixSeconds: number): string => new Date(unixSeconds * 1_000).toISOString().replace('.000Z', 'Z');

/** The row of one entry, with its CRLF. */
export function csvRow(entry: Predicate): string {
  const { target, check, result, code, severity, sentence, controls, digest } = fieldsOf(entry);
  return row([
    entry.appliance_id,
    entry.origin.split('/').at(-1),
    String(entry.seq),
    utc(entry.observed_from),
    utc(entry.observed_to),
    entry.kind,
    target,
    check,
    result,
    code,
    severity,
    sentence,
    controls,
    digest,
  ]);
}

type Fields = Readonly<
  Partial<Record<'target' | 'check' | 'result' | 'code' | 'severity' | 'sentence' | 'controls' | 'digest', string>>
>;

function fieldsOf(entry: Predicate): Fields {
  switch (entry.kind) {
    case 'finding':
      return {
        target: entry.target.id,
        check: entry.check.id,
        result: entry.result,
        severity: entry.severity,
        sentence: entry.sentence,
        controls: entry.controls.map((control) => `${control.map} ${control.cite}`).join('; '),
        digest: entry.facts_digest,
      };
    case 'heartbeat': {
      const unchanged = entry.unchanged.map((one) => `${one.check} ${one.result} since ${one.since_seq}`);
      return { target: entry.target.id, sentence: ['unchanged', ...unchanged].join('; ') };
    }
    case 'action':
      return {
        target: entry.target.id,
        ...optional('result', entry.outcome),
        ...optional('code', entry.code),
        sentence: `${entry.phase}: ${entry.actions.join('; ')}`,
      };
    case 'order':
      return {
        result: entry.outcome ?? entry.state,
        ...optional('code', entry.code),
        sentence: `${entry.order_kind ?? 'unreadable'} ${entry.state}. ${entry.sentence}`,
        digest: entry.order_digest,
      };
    case 'incident':
      return { target: entry.target.id, check: entry.check.id, result: entry.state, sentence: entry.sentence };
    case 'waiver':
      return { target: entry.target_id, check: entry.check_id, result: entry.state, sentence: entry.waiver_id };
    case 'alert':
      return {
        ...optional('target', alertTarget(entry) ?? undefined),
        ...{ result: entry.state, code: entry.code, severity: entry.severity, sentence: entry.sentence },
      };
    case 'gap':
      return { code: entry.reason, sentence: entry.sentence };
    case 'trust':
      return { sentence: entry.sentence, digest: entry.sha256 };
    case 'ticket':
      return { result: entry.state, sentence: entry.sentence };
    case 'epoch':
      return { result: entry.status };
    case 'scope':
      return { sentence: `${entry.expected.length} observations expected` };
    case 'digest':
      return { sentence: `entries ${entry.from_seq} to ${entry.to_seq}`, digest: entry.root };
    case 'learning':
      return { result: entry.state, digest: entry.pattern_sha256 };
    case 'transmission':
      return { target: entry.output, result: entry.state, ...optional('code', entry.code), digest: entry.sha256 };
  }
}

const optional = (name: 'result' | 'code' | 'target', value: string | undefined): Fields =>
  value === undefined ? {} : { [name]: value };

function row(fields: readonly (string | undefined)[]): string {
  return `${fields.map((field) => cell(field ?? '')).join(',')}\r\n`;
}

/** Quoted where needed; a cell that a spreadsheet would take for a formula is made text by an apostrophe in front. */
function cell(text: string): string {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
