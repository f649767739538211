// Facts that are larger than an entry may carry are cut to whole members, and the cut is said in them. Pure.
import { MAX_FACTS_BYTES } from '../wire/schemas/entry.ts';
import type { PlainJson } from '../wire/schemas/primitives.ts';

type Plain = Readonly<Record<string, PlainJson>>;

/** Room for the note that says what was left out. */
const NOTE_BYTES = 128;

const sizeOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

/**
 * `value` unchanged when its JSON has at most `maxBytes`; otherwise its members in order as long as they fit (a list is
 * cut to its first items), and `truncated: {members, bytes}`: how many members were cut or dropped, and the full size.
 */
export function reduceFacts(value: Plain, maxBytes = MAX_FACTS_BYTES): { value: Plain; truncated: boolean } {
  const bytes = sizeOf(value);
  if (bytes <= maxBytes) return { value, truncated: false };
  let left = maxBytes - NOTE_BYTES;
  let members = 0;
  const kept: Record<string, PlainJson> = {};
  for (const [key, member] of Object.entries(value)) {
    const own = sizeOf(key) + 2;
    const part = sizeOf(member) + own <= left ? member : cutList(member, left - own);
    if (part !== member) members += 1;
    if (part === undefined) continue;
    kept[key] = part;
    left -= sizeOf(part) + own;
  }
  kept['truncated'] = { members, bytes };
  return { value: kept, truncated: true };
}

/** The first items of a list that fit; undefined for anything else. */
function cutList(member: PlainJson, maxBytes: number): PlainJson | undefined {
  if (!Array.isArray(member)) return undefined;
  const items: PlainJson[] = [];
  let left = maxBytes - 2;
  for (const item of member) {
    left -= sizeOf(item) + 1;
    if (left < 0) break;
    items.push(item);
  }
  return items.length === 0 ? undefined : items;
}
