// One attempt to get past a guard of healing, and what has to come of it. For tests only.
import type { HealingFacts, HealingRequest } from '../../../agent/guards/healing-facts.ts';
import { facts } from '../../support/healing-fixtures.ts';

export interface Attack {
  readonly guard: string;
  readonly attack: string;
  readonly request: HealingRequest;
  readonly facts: HealingFacts;
  /** `act` where the guard must not stand in the way. */
  readonly comes: 'act' | 'dry_run' | 'wait' | 'people' | 'refuse';
  /** For `wait`: until when; undefined where the row does not say. */
  readonly until?: number | null;
}

type Row = readonly [
  attack: string,
  comes: Attack['comes'],
  change: {
    readonly request?: Partial<HealingRequest>;
    readonly facts?: Partial<HealingFacts>;
    readonly until?: number | null;
  },
];

export const rows = (guard: string, base: HealingRequest, list: readonly Row[]): Attack[] =>
  list.map(([attack, comes, { request: r, facts: f, until }]) => ({
    ...{ guard, attack, comes },
    request: { ...base, ...r },
    facts: { ...facts, ...f },
    ...(until === undefined ? {} : { until }),
  }));
