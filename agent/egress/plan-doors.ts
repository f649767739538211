// From what is to be open and what names resolve to now: which addresses are open, and until when. Pure.
import { isIP } from 'node:net';
import type { OpenDoor } from './egress-state.ts';
import { kindOfAddress } from './usable-address.ts';
import type { Door } from './wanted-doors.ts';

/** Addresses of a name, or one plain clause why there are none. */
export type Resolved = { readonly addresses: readonly string[] } | { readonly problem: string };

export interface PlanContext {
  /** By host; an address needs no entry. */
  readonly resolved: ReadonlyMap<string, Resolved>;
  /** What was opened before in this boot. */
  readonly before: readonly OpenDoor[];
  /** Clock of the boot. */
  readonly nowMs: number;
  /** How long an address stays open after it was seen. */
  readonly ttlMs: number;
}

/** Said of a host that needs no door. */
export const THIS_MACHINE = 'is this machine itself, for which no door is needed';

/** In one answer; a name that has more is cut off there, in the order of the answer. */
export const MAX_ADDRESSES = 32;
/** With those of earlier answers: names that rotate. The newest stay. */
export const MAX_KEPT_ADDRESSES = 64;

export interface PlannedDoors {
  readonly doors: OpenDoor[];
  readonly warnings: readonly string[];
}

/** An address that an answer of before named stays until its time is over, unless its host is no longer to be open. */
export function planDoors(doors: readonly Door[], context: PlanContext): PlannedDoors {
  const warnings: string[] = [];
  const planned = doors.map((door): OpenDoor => {
    const answer = answerFor(door.host, context.resolved);
    const seen = 'addresses' in answer ? answer.addresses : [];
    const usable = seen.filter((address) => kindOfAddress(address) === 'elsewhere');
    const isHere = usable.length === 0 && seen.some((address) => kindOfAddress(address) === 'here');
    if (seen.some((address) => kindOfAddress(address) === 'never')) {
      warnings.push(`${door.host} leads to addresses that no machine has: they stay closed`);
    }
    if (usable.length > MAX_ADDRESSES) {
      warnings.push(`${door.host} has ${usable.length} addresses: the first ${MAX_ADDRESSES} are open`);
    }
    if ('problem' in answer) warnings.push(`${door.host} ${answer.problem}: what is known from before closes in time`);
    const until = context.nowMs + context.ttlMs;
    const fresh = usable.slice(0, MAX_ADDRESSES).map((address) => ({ address, until }));
    const kept = keptOf(door, context).filter(({ address }) => !fresh.some((one) => one.address === address));
    return {
      who: door.who,
      host: door.host,
      ports: [...door.ports],
      why: [...door.why],
      addresses: [...fresh, ...kept].slice(0, MAX_KEPT_ADDRESSES),
      problem: 'problem' in answer ? answer.problem : isHere ? THIS_MACHINE : null,
    };
  });
  // A host may have a door for the agent and one for root.
  return { doors: planned, warnings: [...new Set(warnings)] };
}

/** The names that have to be asked for. */
export const namesOf = (doors: readonly Door[]): string[] => [
  ...new Set(doors.map(({ host }) => host).filter((host) => isIP(host) === 0)),
];

function answerFor(host: string, resolved: ReadonlyMap<string, Resolved>): Resolved {
  if (isIP(host) !== 0) return { addresses: [host] };
  return resolved.get(host) ?? { problem: 'was not asked for' };
}

function keptOf({ who, host }: Door, { before, nowMs, ttlMs }: PlanContext): OpenDoor['addresses'] {
  const known = before.find((one) => one.who === who && one.host === host);
  // Never longer than from now on: the file of before may be from a run with another period.
  return (known?.addresses ?? [])
    .filter(({ until }) => until > nowMs)
    .map(({ address, until }) => ({ address, until: Math.min(until, nowMs + ttlMs) }))
    .toSorted((a, b) => b.until - a.until);
}
