// Texts for nft(8) that put tables in the place of tables. Each is one transaction: the kernel takes all of it or nothing. Pure.
import type { FirewallBaseline } from '../checks/baseline.ts';
import type { TableDigest } from '../facts/normalise-ruleset.ts';

export interface TableName {
  readonly family: string;
  readonly name: string;
}

/** Of `nft list set`: what stands between the braces. Quoted text may hold braces. */
const ELEMENTS = /elements = \{((?:"[^"]*"|[^"}])*)\}/;

export const labelOf = ({ family, name }: TableName): string => `${family} ${name}`;

/** Removes the tables, whether they are there or not, and declares what `texts` say. */
export function replaceTables(tables: readonly TableName[], texts: readonly string[]): string {
  const gone = tables.flatMap((table) => [`table ${labelOf(table)}`, `delete table ${labelOf(table)}`]);
  return `${[...gone, ...texts].join('\n')}\n`;
}

/** What fills a set again that fills itself, out of `nft list set`; null where it is empty. */
export function refillSet(set: { family: string; table: string; name: string }, listed: string): string | null {
  const elements = ELEMENTS.exec(listed)?.[1]?.replace(/\s+/g, ' ').trim() ?? '';
  return elements === '' ? null : `add element ${set.family} ${set.table} ${set.name} { ${elements} }`;
}

/**
 * Where the declared tables differ from what is loaded; null where they do not. A digest `none` is no difference. Tables that nobody
 * declared are for people.
 */
export function differenceOf(found: readonly TableDigest[], declared: FirewallBaseline): string | null {
  for (const table of declared.tables) {
    const now = found.find((one) => labelOf(one) === labelOf(table));
    if (now === undefined) return `table ${labelOf(table)} is missing`;
    if (table.sha256 !== 'none' && table.sha256 !== now.sha256) return `table ${labelOf(table)} is not as declared`;
  }
  return null;
}
