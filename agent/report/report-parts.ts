// The small parts of the report: times, results, proofs, tables. Pure.
import type { CheckResult } from '../wire/schemas/primitives.ts';
import { html, type Html } from './html.ts';
import type { DayState } from './calendar.ts';
import type { Listed } from './report-model.ts';

const RESULTS: Readonly<Record<CheckResult, { readonly word: string; readonly sign: string; readonly tone: string }>> =
  {
    pass: { word: 'Pass', sign: '✓', tone: 'good' },
    fail: { word: 'Fail', sign: '✗', tone: 'bad' },
    waived: { word: 'Waived', sign: '○', tone: 'plain' },
    not_applicable: { word: 'Not applicable', sign: '–', tone: 'plain' },
    unknown: { word: 'Unknown', sign: '?', tone: 'warn' },
  };

/** One sign and one word for a day; the sign says it where colours cannot. */
export const DAY_SIGNS: Readonly<
  Record<DayState, { readonly word: string; readonly sign: string; readonly tone: string }>
> = { ...RESULTS, unobserved: { word: 'Not observed', sign: '∅', tone: 'warn' } };

export const resultWord = (result: CheckResult): string => RESULTS[result].word;
export const resultTone = (result: CheckResult): string => RESULTS[result].tone;

export function resultBadge(result: CheckResult): Html {
  const { word, sign, tone } = RESULTS[result];
  return html`<span class="result ${tone}"><span aria-hidden="true">${sign}</span> ${word}</span>`;
}

/** UTC: two people read the same. */
export function time(unixSeconds: number): Html {
  const iso = new Date(unixSeconds * 1_000).toISOString();
  const [day, clock] = [iso.slice(0, 10), iso.slice(11, 16)];
  return html`<time datetime="${iso}"><span>${day}</span> <span>${clock} UTC</span></time>`;
}

/** The day of a moment, UTC. */
export const day = (unixSeconds: number): string => new Date(unixSeconds * 1_000).toISOString().slice(0, 10);

const UNITS: readonly (readonly [number, string])[] = [
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
];

/** `3 hours`, `45 seconds`. */
export function duration(seconds: number): string {
  const [size, unit] = UNITS.find(([size]) => seconds >= size) ?? [1, 'second'];
  const count = Math.floor(seconds / size);
  return `${count.toLocaleString('en')} ${unit}${count === 1 ? '' : 's'}`;
}

export const number = (value: number): string => value.toLocaleString('en');

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${number(count)} ${count === 1 ? one : many}`;

/** The entry that proves it; the digest names the facts it rests on. */
export function proof(seq: number, factsDigest?: string): Html {
  const digest =
    factsDigest === undefined
      ? null
      : html`, facts <code title="SHA-256 of the judged facts: ${factsDigest}">${factsDigest.slice(0, 16)}…</code>`;
  return html`entry <b>${number(seq)}</b>${digest}`;
}

export interface Column<T> {
  readonly head: string;
  readonly cell: (row: T) => Html | string | number;
  /** `when` stays on one line where there is room; `wide` gets most of the width. */
  readonly kind?: 'when' | 'wide';
}

/** A table that a phone shows as cards; the first column heads each row. */
export function table<T>(caption: string, columns: readonly Column<T>[], list: Listed<T>): Html {
  const [first, ...others] = columns;
  if (first === undefined) return html``;
  const rows = list.rows.map(
    (row) =>
      html`<tr>
        <th scope="row">${first.cell(row)}</th>
        ${others.map(
          (column) =>
            html`<td data-label="${column.head}" ${column.kind === undefined ? '' : html` class="${column.kind}"`}>
              <div>${column.cell(row)}</div>
            </td>`,
        )}
      </tr> `,
  );
  const more =
    list.more === 0
      ? null
      : html`<p class="soft">
          ${plural(list.more, 'more row')} left out here; every entry is in the bundle and in views/entries.csv.
        </p>`;
  return html`<table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${columns.map((column) => html`<th scope="col">${column.head}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
    ${more}`;
}
