// A site of 25 machines and what befalls them in a month, all from one seed: drift, blips, flapping, policies that undo fixes, fixes that
// do not hold, waves, machines that are off, pauses, unsound clocks, a full log, exchanged bytes, missing grants, a bad rule, crashes.
import { DISRUPTIVE, RUNBOOK } from '../../support/healing-fixtures.ts';

export const STEP_S = 300;
export const MONTH_S = 30 * 86_400;
/** 2027-01-15 00:00 UTC, a Friday. */
export const BEGIN = 1_799_971_200;

/** What can be wrong with a machine. Two of them have the same runbook. */
export const CONDITIONS = [
  { id: 'av-off', checkId: 'windows_av', runbook: RUNBOOK, disruptive: false },
  { id: 'av-old', checkId: 'windows_av', runbook: RUNBOOK, disruptive: false },
  { id: 'patch', checkId: 'windows_patching', runbook: DISRUPTIVE, disruptive: true },
] as const;
export type Condition = (typeof CONDITIONS)[number];

export type Trait = 'plain' | 'flaps' | 'undone_by_policy' | 'comes_back_slowly' | 'never_holds' | 'rollback_fails';

/** One change as the machine itself noted it. */
export interface Change {
  readonly at: number;
  readonly until: number;
  readonly target: string;
  readonly condition: string;
  readonly sha256: string;
  readonly disruptive: boolean;
  readonly units: readonly string[];
}

export interface Host {
  readonly id: string;
  readonly domainController: boolean;
  readonly trait: Trait;
  readonly drift: Set<string>;
  /** When a condition will be wrong again, by condition. */
  readonly again: Map<string, number>;
  offUntil: number;
  /** People looked into it: its trait rests until then. */
  quietUntil: number;
  readonly journal: Change[];
  /** What each look after a change found, as the machine was then. */
  readonly looks: { readonly at: number; readonly condition: string; readonly good: boolean }[];
}

/** What is the matter with the appliance or the policy at a moment. */
export interface Weather {
  readonly pausedUntil: number | null;
  readonly clockSound: boolean;
  readonly logTakesEntries: boolean;
  readonly bytesExchanged: boolean;
  readonly listExpired: boolean;
  readonly grants: boolean;
  readonly badRule: boolean;
  /** False after the database was lost, until people enable healing. */
  readonly memoryWhole: boolean;
  /** Target on which the rule of `av-old` is on trial; null where it is not. */
  readonly trialOn: string | null;
  /** The signed policy lets healing only say what it would do. */
  readonly dryRun: boolean;
}

/** mulberry32: small, and the same everywhere. Uniform in [0, 1). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const TRAITS: Readonly<Record<string, Trait>> = {
  'dc-1': 'never_holds',
  'pc-1': 'flaps',
  'pc-2': 'undone_by_policy',
  'pc-3': 'comes_back_slowly',
  'pc-4': 'never_holds',
  'pc-5': 'rollback_fails',
};

/** The one machine on which a learnt rule is tried. */
const TRIED_ON = 'pc-9';

/** Of drift by itself, for each step and condition. */
const ODDS: Readonly<Record<Trait, number>> = {
  plain: 1 / 15_000,
  flaps: 1 / 1_500,
  undone_by_policy: 1 / 1_500,
  comes_back_slowly: 1 / 40,
  never_holds: 1 / 1_500,
  rollback_fails: 1 / 1_500,
};

export function hosts(): Host[] {
  const ids = [...[1, 2, 3].map((n) => `dc-${n}`), ...Array.from({ length: 22 }, (_, n) => `pc-${n + 1}`)];
  return ids.map((id) => ({
    id,
    domainController: id.startsWith('dc'),
    trait: TRAITS[id] ?? 'plain',
    drift: new Set(),
    again: new Map(),
    offUntil: 0,
    quietUntil: 0,
    journal: [],
    looks: [],
  }));
}

/** Seconds after a heal until such a machine is wrong again; null where nothing brings it back. */
export function comesBackAfter({ trait, quietUntil }: Host, now: number): number | null {
  if (now < quietUntil) return null;
  if (trait === 'flaps') return 2 * STEP_S;
  if (trait === 'undone_by_policy') return 90 * 60;
  return trait === 'comes_back_slowly' ? 8_000 : null;
}

/** Spells of trouble, `count` of them, each `hours` long, at times of the seed's choice. */
function spells(random: () => number, count: number, hours: number): (now: number) => number | null {
  const list = Array.from({ length: count }, () => {
    const from = BEGIN + Math.floor(random() * (MONTH_S - hours * 3_600));
    return [from, from + hours * 3_600] as const;
  });
  return (now) => list.find(([from, to]) => from <= now && now < to)?.[1] ?? null;
}

/** `seed`: of what came later, so that the months before stay as they were. */
export function weatherOf(random: () => number, seed: number): (now: number) => Weather {
  const pause = spells(random, 6, 10);
  const unsound = spells(random, 8, 14);
  const full = spells(random, 6, 10);
  const exchanged = spells(random, 2, 40);
  const expired = spells(random, 3, 40);
  const ungranted = spells(random, 2, 40);
  const badRule = spells(random, 2, 40);
  const later = randomOf(seed + 1_000_000);
  const lost = spells(later, 2, 40);
  const trial = spells(later, 4, 48);
  const dryRun = spells(later, 2, 20);
  return (now) => ({
    pausedUntil: pause(now),
    clockSound: unsound(now) === null,
    logTakesEntries: full(now) === null,
    bytesExchanged: exchanged(now) !== null,
    listExpired: expired(now) !== null,
    grants: ungranted(now) === null,
    badRule: badRule(now) !== null,
    memoryWhole: lost(now) === null,
    trialOn: trial(now) === null ? null : TRIED_ON,
    dryRun: dryRun(now) !== null,
  });
}

/** One step of fate. */
export function befall(all: readonly Host[], now: number, random: () => number): void {
  const isWave = random() < 1 / 2_500;
  const struck = CONDITIONS[Math.floor(random() * CONDITIONS.length)]!;
  for (const host of all) {
    for (const [condition, at] of host.again) {
      if (at > now) continue;
      host.again.delete(condition);
      host.drift.add(condition);
    }
    if (random() < 1 / 3_000) host.offUntil = now + STEP_S * Math.floor(24 + random() * 96);
    const odds = ODDS[host.trait];
    for (const { id } of CONDITIONS) if (random() < odds) host.drift.add(id);
    if (isWave && random() < 0.3) host.drift.add(struck.id);
    // A blip: wrong at one look, right at the next, by itself.
    if (host.trait === 'plain' && random() < 1 / 1_500 && host.drift.size === 0) host.drift.add('blip');
  }
}
