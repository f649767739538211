// What `evidence verify` says to people.
import { CODES } from '../errors/codes.ts';
import type { CliContext } from './deps.ts';
import type { AnchoredRange } from '../verify/anchored-ranges.ts';
import type { LogVerdict } from '../verify/log-verifier.ts';
import { rangeWords } from './range-words.ts';
import { columns, harmless, painter, utc } from './style.ts';

/** One log as it was judged. */
export interface VerifiedLog extends LogVerdict {
  /** File, folder or state directory, with the epoch where there are several. */
  readonly source: string;
}

export type VerifyVerdict = 'verified' | 'untrusted_root' | 'failed';

interface RootFacts {
  readonly sha256: string;
  readonly version: number;
  readonly partner_id: string;
  /** Of the list of revocations that was at hand; null: none was. */
  readonly revocations_version: number | null;
}

const listed = (counts: Readonly<Partial<Record<string, number>>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${count ?? 0} ${name}`)
    .join(', ') || 'none';

function logLines(log: VerifiedLog): string[] {
  const rows = [
    ['log', log.origin ?? 'unknown'],
    ['from', log.source],
    ['entries', `${log.size}${log.status === 'provisional' ? ' (provisional epoch)' : ''}`],
    ...(log.leftOut === 0
      ? []
      : [['left out', `${log.leftOut} of them are here as hashes only: nothing is said of what they hold`]]),
    ['tree root', log.root],
    ['kinds', listed(log.counts)],
    ['findings', listed(log.results)],
    ['refused orders', listed(log.refusals)],
  ];
  if (log.firstAt !== null && log.lastAt !== null) rows.push(['observed', `${utc(log.firstAt)} to ${utc(log.lastAt)}`]);
  if (log.ok) {
    rows.push([
      'receipts',
      log.receipts === 0 ? 'none: entries after the last one could be missing' : `${log.receipts} fulfilled`,
    ]);
  }
  // What lies below the size from which on a log is revoked holds, and counts.
  if (log.ok || log.code === 'origin_revoked')
    rows.push(...log.ranges.map((range) => ['range', rangeLine(range, log.witnessed?.at ?? null)]));
  if (log.timestamps > 0 && !log.ranges.some((range) => range.by.includes('timestamp'))) {
    rows.push(['timestamps', `${log.timestamps} fit; name their authority with --tsa-ca to have them count`]);
  }
  const { backwards, future } = log.odd;
  if (backwards + future > 0)
    rows.push(['odd times', `${backwards} before their predecessor, ${future} in the future`]);
  return columns(rows);
}

function rangeLine(one: AnchoredRange, witnessedAt: number | null): string {
  const { from_seq, to_seq, range, by } = one;
  const entries = `entries ${from_seq} to ${to_seq - 1}`;
  if (range === 'unanchored') return `${entries}: unanchored, only the appliance's own word`;
  const when = witnessedAt === null || !by.includes('witness') ? '' : `, last seen ${utc(witnessedAt)}`;
  return `${entries}: ${rangeWords(one)}${when}`;
}

export function verdictLines(
  context: Pick<CliContext, 'stdout' | 'env'>,
  verdict: VerifyVerdict,
  root: RootFacts,
  logs: readonly VerifiedLog[],
): string[] {
  const paint = painter(context.stdout, context.env);
  const lines: string[] = [];
  if (verdict === 'verified') lines.push(paint('green', 'VERIFIED'));
  if (verdict === 'untrusted_root') {
    lines.push(
      paint('red', 'UNTRUSTED ROOT'),
      'The entries fit together, but anybody could have made the root they are judged by.',
      harmless(`root_untrusted: ${CODES.root_untrusted.remedy}`),
    );
  }
  if (verdict === 'failed') {
    lines.push(paint('red', 'NOT VERIFIED'));
    for (const log of logs.filter((one) => !one.ok)) {
      const at = log.seq === null ? '' : ` at entry ${log.seq}`;
      lines.push(harmless(`${log.code ?? 'internal'}${at}: ${log.sentence}`));
    }
    if (logs.length === 0) lines.push('log_empty: there is no log');
  }
  lines.push(harmless(`root ${root.version} of ${root.partner_id}, SHA-256 ${root.sha256}`));
  lines.push(
    root.revocations_version === null
      ? 'no list of revoked logs is at hand: ask the partner for one'
      : `revoked logs: list ${root.revocations_version} of the partner`,
  );
  for (const log of logs) lines.push('', ...logLines(log));
  return lines;
}
