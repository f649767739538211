// The table that a run of the system tests prints: which check, in which situation, came to which result, on which part. Pure.

/** `live`: a real part of this machine; `recorded`: a real system's output, replayed; `constructed`: made by hand. */
export type PartKind = 'live' | 'recorded' | 'constructed';

export interface CheckRow {
  readonly check: string;
  /** Name of the test that judged, without its groups; numbered where it judged more than once. */
  readonly situation: string;
  readonly result: string;
  readonly kind: PartKind;
  /** What was really there: program and version, or the fixture's file. */
  readonly part: string;
}

/** What a complete run has to show. */
export const LEAST_ROWS = 60;
export const LEAST_LIVE_ROWS = 3;

/** Why rows are not the proof that they should be; empty where they are. Constructed parts prove nothing by themselves. */
export function tableProblems(rows: readonly CheckRow[], checks: readonly string[]): string[] {
  const real = rows.filter((row) => row.kind !== 'constructed');
  const problems = checks.flatMap((check) => {
    const live = real.filter((row) => row.check === check && row.kind === 'live').length;
    return live >= LEAST_LIVE_ROWS ? [] : [`${check}: ${live} of at least ${LEAST_LIVE_ROWS} situations on live parts`];
  });
  if (real.length < LEAST_ROWS) problems.push(`${real.length} of at least ${LEAST_ROWS} situations on real parts`);
  return problems;
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** By check, then in the order in which they were judged. */
export function sortedRows(rows: readonly CheckRow[], checks: readonly string[]): CheckRow[] {
  return checks.flatMap((check) => rows.filter((row) => row.check === check));
}

/** A Markdown table, which can also be read as it is. */
export function tableText(rows: readonly CheckRow[]): string {
  const head = ['check', 'situation', 'result', 'part'];
  const lines = rows.map((row) => [row.check, cell(row.situation), row.result, cell(`${row.kind}: ${row.part}`)]);
  const all = [head, head.map(() => '---'), ...lines];
  return `${all.map((line) => `| ${line.join(' | ')} |`).join('\n')}\n`;
}

/** Reads back what {@link tableText} wrote. */
export function readTable(markdown: string): CheckRow[] {
  return markdown.split('\n').flatMap((line) => {
    const cells = line.split(/(?<!\\)\|/).map((one) => one.trim().replaceAll('\\|', '|'));
    const [, check = '', situation = '', result = '', part = ''] = cells;
    const match = /^(live|recorded|constructed): (.*)$/.exec(part);
    if (match === null) return [];
    return [{ check, situation, result, kind: match[1] as PartKind, part: match[2] ?? '' }];
  });
}
