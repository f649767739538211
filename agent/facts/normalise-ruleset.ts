// Brings the JSON of `nft -j list ruleset` (libnftables-json(5)) into a form that changes only when the rules do. Pure.
import { createHash } from 'node:crypto';

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = { readonly [key: string]: Json };

/**
 * What the kernel counts, by the statement or object that holds it. Elsewhere the same names mean something: `bytes` of a
 * named quota is its limit.
 */
const COUNTING: Readonly<Record<string, readonly string[]>> = {
  counter: ['packets', 'bytes'],
  elem: ['expires'],
  quota: ['used', 'used_unit'],
  last: ['used'],
};
/** The kernel's number of the object itself. */
const NUMBER = 'handle';
const SELF_FILLING_FLAGS = ['timeout', 'dynamic'];

export interface TableDigest {
  readonly family: string;
  readonly name: string;
  /** SHA-256 of the table's rules, chains, sets and objects in normal form, lower-case hex. */
  readonly sha256: string;
}

export interface BaseChain {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly type: string;
  readonly hook: string;
  readonly policy: string;
}

export interface Ruleset {
  readonly tables: readonly TableDigest[];
  readonly baseChains: readonly BaseChain[];
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Keys sorted, no spaces: equal values give equal text. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(canonical).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const fields = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key] ?? null)}`);
  return `{${fields.join(',')}}`;
}

const sorted = (values: readonly Json[]): readonly Json[] =>
  values
    .map((v) => [canonical(v), v] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([, v]) => v);

/** An anonymous set in a rule is `{"set": [ … ]}`; its order has no meaning. */
function withoutCounting(value: Json, under?: string): Json {
  if (Array.isArray(value)) {
    const items = (value as readonly Json[]).map((v) => withoutCounting(v));
    return under === 'set' || under === 'elem' ? sorted(items) : items;
  }
  if (!isObject(value)) return value;
  const dropped = COUNTING[under ?? ''] ?? [];
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !dropped.includes(key))
      .map(([key, v]) => [key, withoutCounting(v, key)]),
  );
}

function fillsItself(set: JsonObject): boolean {
  const flags = Array.isArray(set.flags) ? (set.flags as readonly Json[]) : [set.flags ?? null];
  return set.timeout !== undefined || flags.some((flag) => SELF_FILLING_FLAGS.includes(String(flag)));
}

function normaliseItem(kind: string, item: JsonObject): JsonObject {
  const leftOut = (kind === 'set' || kind === 'map') && fillsItself(item) ? [NUMBER, 'elem'] : [NUMBER];
  const kept = Object.fromEntries(Object.entries(item).filter(([key]) => !leftOut.includes(key)));
  return withoutCounting(kept, kind) as JsonObject;
}

/** Rules keep their order within their chain; everything else has none. */
function placeOf(kind: string, item: JsonObject, index: number): string {
  const order = kind === 'rule' ? `${String(item.chain)}\u0000${String(index).padStart(8, '0')}` : String(item.name);
  return `${kind}\u0000${order}`;
}

/** What `nft -j list ruleset` lists; null where the text is not that. */
function itemsOf(text: string): readonly Json[] | null {
  let document: Json;
  try {
    document = JSON.parse(text) as Json;
  } catch {
    return null;
  }
  const items = isObject(document) ? document.nftables : undefined;
  return Array.isArray(items) ? (items as readonly Json[]) : null;
}

/** Null where the text is not the JSON of a ruleset. */
export function readRuleset(text: string): Ruleset | null {
  const items = itemsOf(text);
  if (items === null) return null;
  const tables = new Map<string, { family: string; name: string; items: { place: string; text: string }[] }>();
  const baseChains: BaseChain[] = [];
  for (const [index, entry] of items.entries()) {
    const [kind, item] = isObject(entry) ? (Object.entries(entry)[0] ?? []) : [];
    if (kind === undefined || !isObject(item)) return null;
    if (kind === 'metainfo') continue;
    const family = String(item.family);
    const name = String(kind === 'table' ? item.name : item.table);
    const key = `${family} ${name}`;
    const table = tables.get(key) ?? { family, name, items: [] };
    tables.set(key, table);
    table.items.push({ place: placeOf(kind, item, index), text: canonical({ [kind]: normaliseItem(kind, item) }) });
    if (kind === 'chain' && typeof item.hook === 'string') {
      baseChains.push({
        family,
        table: name,
        chain: String(item.name),
        type: String(item.type),
        hook: item.hook,
        // nft leaves the policy out where it is the default of the kernel.
        policy: typeof item.policy === 'string' ? item.policy : 'accept',
      });
    }
  }
  return {
    tables: [...tables.values()]
      .map(({ family, name, items: parts }) => ({ family, name, sha256: digestOf(parts) }))
      .sort((a, b) => (`${a.family} ${a.name}` < `${b.family} ${b.name}` ? -1 : 1)),
    baseChains,
  };
}

export interface SetName {
  readonly family: string;
  readonly table: string;
  readonly name: string;
}

/** Sets whose elements come and go by themselves: what fills them does not stand in the ruleset. Null as for {@link readRuleset}. */
export function selfFillingSets(text: string): SetName[] | null {
  const items = itemsOf(text);
  if (items === null) return null;
  return items.flatMap((entry) => {
    const set = isObject(entry) ? entry.set : undefined;
    if (!isObject(set) || !fillsItself(set) || set.elem === undefined) return [];
    return [{ family: String(set.family), table: String(set.table), name: String(set.name) }];
  });
}

function digestOf(parts: { place: string; text: string }[]): string {
  const ordered = parts.sort((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : 0));
  return createHash('sha256')
    .update(ordered.map((p) => p.text).join('\n'))
    .digest('hex');
}
