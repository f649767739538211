// The text for nft(8) that fills the sets of the egress table, in one transaction. Pure.
import { isIP } from 'node:net';
import type { OpenDoor } from './egress-state.ts';
import { addressOf, type Range } from './networks.ts';

/** As nix/egress.nix declares it. */
export const EGRESS_TABLE = { family: 'inet', name: 'compliance-agent-egress' } as const;
/** Drops everything; loaded where the egress table is not. */
export const CLOSED_TABLE = { family: 'inet', name: 'compliance-agent-egress-closed' } as const;

/** The sets: whose packets, to what, in which family. */
const SETS = [
  'agent_hosts4',
  'agent_hosts6',
  'agent_networks4',
  'agent_networks6',
  'root_hosts4',
  'root_hosts6',
] as const;
type SetName = (typeof SETS)[number];

const label = ({ family, name }: { readonly family: string; readonly name: string }): string => `${family} ${name}`;

export interface Opening {
  readonly doors: readonly OpenDoor[];
  readonly ranges: readonly Range[];
  readonly nowMs: number;
  /** For the networks, which have no other end. */
  readonly ttlMs: number;
  /** The table that drops everything is in force, and goes now. */
  readonly isClosed: boolean;
}

/** Empties every set and fills it again: what is not named any more is closed at once. */
export function openingText({ doors, ranges, nowMs, ttlMs, isClosed }: Opening): string {
  const elements = new Map<SetName, string[]>(SETS.map((name) => [name, []]));
  const seconds = (ms: number): string => `timeout ${Math.max(1, Math.ceil(ms / 1_000))}s`;
  for (const { who, ports, addresses } of doors) {
    for (const { address, until } of addresses) {
      const set: SetName = `${who}_hosts${isIP(address) === 6 ? 6 : 4}`;
      const end = seconds(until - nowMs);
      for (const { protocol, port } of ports) elements.get(set)?.push(`${address} . ${protocol} . ${port} ${end}`);
    }
  }
  for (const { family, from, to, protocol, port } of ranges) {
    const [first, last] = [from, to].map((value) => addressOf(family, value));
    const span = first === last ? first : `${first}-${last}`;
    elements.get(`agent_networks${family}`)?.push(`${span} . ${protocol} . ${port} ${seconds(ttlMs)}`);
  }
  const table = label(EGRESS_TABLE);
  const lines = SETS.map((name) => `flush set ${table} ${name}`);
  for (const [name, list] of elements) {
    if (list.length > 0) lines.push(`add element ${table} ${name} { ${list.join(', ')} }`);
  }
  if (isClosed) lines.push(`delete table ${label(CLOSED_TABLE)}`);
  return `${lines.join('\n')}\n`;
}
