// How text looks on a terminal: colours only where a person reads, no control characters from data, aligned columns.
import type { Output } from './deps.ts';

export type Colour = 'red' | 'green' | 'yellow' | 'dim' | 'bold';

const SGR: Readonly<Record<Colour, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 };

/** Paints or not: only on a terminal, and never where NO_COLOR is set (no-color.org) or TERM is `dumb`. */
export function painter(
  output: Pick<Output, 'isTTY'>,
  env: Readonly<Record<string, string | undefined>>,
): (colour: Colour, text: string) => string {
  const isOn = output.isTTY && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  return (colour, text) => (isOn ? `\u001b[${SGR[colour]}m${text}\u001b[0m` : text);
}

/** Text from files and evidence as it may go to a terminal: control characters are spelled out, so none can act. */
export function harmless(text: string): string {
  return text.replace(
    // oxlint-disable-next-line no-control-regex
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Rows with their columns aligned; the last column is not padded. `paint` is applied after padding. */
export function columns(
  rows: readonly (readonly string[])[],
  paint: (text: string, column: number, row: number) => string = (text) => text,
): string[] {
  const clean = rows.map((row) => row.map(harmless));
  const width = (column: number): number => Math.max(...clean.map((row) => row[column]?.length ?? 0));
  const widths = Array.from({ length: Math.max(0, ...clean.map((row) => row.length)) }, (_, column) => width(column));
  return clean.map((row, index) =>
    row
      .map((text, column) => {
        const isLast = column === row.length - 1;
        return paint(isLast ? text : text.padEnd(widths[column] ?? 0), column, index);
      })
      .join('  ')
      .trimEnd(),
  );
}

/** Colour of a check's result. */
export function resultColour(result: string): Colour {
  if (result === 'pass') return 'green';
  if (result === 'fail') return 'red';
  return result === 'unknown' ? 'yellow' : 'dim';
}

/** `2026-03-01 09:05:00Z`: UTC, so that two people read the same. */
export const utc = (unixSeconds: number): string =>
  `${new Date(unixSeconds * 1_000).toISOString().slice(0, 19).replace('T', ' ')}Z`;

const UNITS: readonly (readonly [number, string])[] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
];

/** A length of time in its largest sensible unit: `45 s`, `3 min`, `2 d`. */
export function duration(seconds: number): string {
  const length = Math.abs(Math.round(seconds));
  for (const [size, unit] of UNITS) if (length >= 2 * size) return `${Math.floor(length / size)} ${unit}`;
  return `${length} s`;
}

/** `12 s ago`, or `in 12 s` for times ahead. */
export const ago = (now: number, then: number): string =>
  then > now ? `in ${duration(then - now)}` : `${duration(now - then)} ago`;

/** `1.5 KiB`. */
export function bytes(count: number): string {
  if (count < 1_024) return `${count} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(Math.floor(Math.log2(count) / 10), units.length);
  return `${(count / 1_024 ** power).toFixed(1)} ${units[power - 1] ?? ''}`;
}
