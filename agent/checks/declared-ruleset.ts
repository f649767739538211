// The text of a packet filter in a baseline (nft(8)): declarations of the declared tables and nothing else, so that loading it can
// neither read another file nor touch another table. Pure.

/** A generous ruleset has some kilobytes. */
export const MAX_RULESET_CHARACTERS = 65_536;

interface TableName {
  readonly family: string;
  readonly name: string;
}

/** Comments and quoted text say nothing to nft that could be a command. */
const SAID_ASIDE = /"[^"\n]*"|#[^\n]*/g;
const TABLE_HEAD = /^\s*table\s+(inet|ip|ip6|arp|bridge|netdev)\s+([A-Za-z][A-Za-z0-9_.-]{0,63})\s*\{/;

/** Why the text may not stand in a baseline that declares these tables; null where it may. */
export function rulesetProblem(text: string, tables: readonly TableName[]): string | null {
  // Quoted text keeps its place, so that no two words become one.
  const bare = text.replace(SAID_ASIDE, (aside) => (aside.startsWith('"') ? '""' : ''));
  if (bare.includes('"') && /"/.test(bare.replaceAll('""', ''))) return 'has a quote that does not end on its line';
  if (bare.includes('\\')) return 'has a backslash';
  if (/\binclude\b/.test(bare)) return 'includes another file';
  const found: string[] = [];
  for (let rest = bare; rest.trim() !== '';) {
    const head = TABLE_HEAD.exec(rest);
    if (head === null) return 'holds something beside tables: each begins with table FAMILY NAME {';
    const end = blockEnd(rest, head[0].length);
    if (end === null) return `does not close the table ${head[2]}`;
    found.push(`${head[1]} ${head[2]}`);
    rest = rest.slice(end).replace(/^\s*;/, '');
  }
  const declared = tables.map(({ family, name }) => `${family} ${name}`);
  if (new Set(found).size !== found.length) return 'names a table twice';
  const strange = found.find((table) => !declared.includes(table));
  if (strange !== undefined) return `holds the table ${strange}, which is not among tables`;
  const missing = declared.find((table) => !found.includes(table));
  return missing === undefined ? null : `does not hold the declared table ${missing}`;
}

/** Index after the brace that closes the block which is open at `from`. */
function blockEnd(text: string, from: number): number | null {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    if (text[at] === '{') depth += 1;
    if (text[at] === '}' && --depth === 0) return at + 1;
  }
  return null;
}
