// Texts for nft(8) that put tables in the place of tables. Each is one transaction: the kernel takes all of it or nothing. Pure.
import type { FirewallBaseline } from '../checks/baseline.ts';
import { AgentError } from '../errors/agent-error.ts';
import type { TableDigest } from '../facts/normalise-ruleset.ts';

export interface TableName {
  readonly family: string;
  readonly name: string;
}

/** What can stand in a text for nft; another program may give a table any name. */
const SPELLABLE = /^[A-Za-z][A-Za-z0-9_.-]{0,127}$/;
/** Of `nft list set`: what stands between the braces. Quoted text may hold braces. */
const ELEMENTS = /elements = \{((?:"[^"]*"|[^"}])*)\}/;

export const labelOf = ({ family, name }: TableName): string => `${family} ${name}`;

/**
 * The tables that a restore replaces: the declared ones, and every other one where none may be there.
 *
 * @throws helper_act_failed for a table whose name cannot be spelled
 */
export function tablesToReplace(present: readonly TableName[], declared: FirewallBaseline): TableName[] {
  const isDeclared = (table: TableName): boolean => declared.tables.some((one) => labelOf(one) === labelOf(table));
  const strange = declared.undeclared_tables === 'fail' ? present.filter((table) => !isDeclared(table)) : [];
  if (strange.some(({ name }) => !SPELLABLE.test(name))) {
    throw new AgentError('helper_act_failed', 'a table that nobody declared has a name that nft does not read');
  }
  return [...declared.tables, ...strange].map(({ family, name }) => ({ family, name }));
}

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

/** Where what is loaded differs from what is declared; null where it does not. A digest `none` is no difference. */
export function differenceOf(found: readonly TableDigest[], declared: FirewallBaseline): string | null {
  for (const table of declared.tables) {
    const now = found.find((one) => labelOf(one) === labelOf(table));
    if (now === undefined) return `table ${labelOf(table)} is missing`;
    if (table.sha256 !== 'none' && table.sha256 !== now.sha256) return `table ${labelOf(table)} is not as declared`;
  }
  const isDeclared = (one: TableName): boolean => declared.tables.some((table) => labelOf(table) === labelOf(one));
  return declared.undeclared_tables === 'fail' && !found.every(isDeclared)
    ? 'there are tables that nobody declared'
    : null;
}
