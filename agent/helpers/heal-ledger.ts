// What the helpers remember of healing, so that nothing is done twice on one word: the floor of orders, authorisations that were
// used or seen, and the runs of a day. Kept in state.json, so over restarts. Pure.
import * as v from 'valibot';
import { RUNS_WINDOW_S } from '../guards/healing-limits.ts';
import { MAX_AUTHORISATION_S } from '../guards/order-authorisation.ts';

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** More than the rate limits let pass in the time for which these count. */
export const MAX_KEPT = 512;
const list = <S extends v.GenericSchema>(item: S) => v.pipe(v.array(item), v.maxLength(MAX_KEPT));

/** All times are T, Unix seconds. What is not known is kept, as in the whole state. */
export const healLedgerSchema = v.looseObject({
  /** Nothing is remembered from before then, where the state was lost once: orders from before do not count. */
  remembers_from: v.optional(whole, 0),
  /** Orders of one epoch. `began`: what was authorised before then may have been used where nobody here knows it. */
  orders: v.nullable(v.looseObject({ epoch: whole, began: whole, floor: whole })),
  /** Authorisations that an order has used, by digest and by id. */
  used: list(v.looseObject({ digest: v.string(), id: v.string(), at: whole })),
  /** When an authorisation was first seen: a single approver's delay counts from there. */
  seen: list(v.looseObject({ digest: v.string(), at: whole })),
  /** By id of the runbook. */
  runs: list(v.looseObject({ runbook: v.string(), at: whole })),
  /** Digests of learnt rules in whose name nothing is done any more. */
  given_up: v.optional(list(v.string()), []),
});
export type HealLedger = v.InferOutput<typeof healLedgerSchema>;

export const EMPTY_LEDGER: HealLedger = { remembers_from: 0, orders: null, used: [], seen: [], runs: [], given_up: [] };

/** The ledger at T in this epoch: what can no longer count is left out, and another epoch begins its own floor. */
export function ledgerAt(ledger: HealLedger, now: number, binding: { epoch: number; issued_at: number }): HealLedger {
  const sameEpoch = ledger.orders?.epoch === binding.epoch;
  // Twice the life of an authorisation: T may be set back by less than that and nothing becomes usable again.
  const counts = ({ at }: { at: number }): boolean => now - at < 2 * MAX_AUTHORISATION_S;
  const began = Math.max(binding.issued_at, ledger.remembers_from);
  return {
    ...ledger,
    orders: sameEpoch ? ledger.orders : { epoch: binding.epoch, began, floor: 0 },
    used: ledger.used.filter(counts).slice(-MAX_KEPT),
    seen: ledger.seen.filter(counts).slice(-MAX_KEPT),
    runs: ledger.runs.filter(({ at }) => now - at < RUNS_WINDOW_S).slice(-MAX_KEPT),
  };
}

/** One more run. */
export const withRun = (ledger: HealLedger, runbook: string, at: number): HealLedger => ({
  ...ledger,
  runs: [...ledger.runs, { runbook, at }].slice(-MAX_KEPT),
});

/** An authorisation that was seen for the first time. */
export const withSeen = (ledger: HealLedger, digest: string | null, at: number): HealLedger =>
  digest === null || ledger.seen.some((one) => one.digest === digest)
    ? ledger
    : { ...ledger, seen: [...ledger.seen, { digest, at }].slice(-MAX_KEPT) };

/** An order that is acted on: its seq is the floor from now on, its authorisation used. */
export function withOrder(
  ledger: HealLedger,
  o: { seq: number; digest: string | null; id: string | null; at: number },
): HealLedger {
  const { seq, digest, id, at } = o;
  const used = digest === null || id === null ? [] : [{ digest, id, at }];
  return {
    ...ledger,
    orders: ledger.orders === null ? null : { ...ledger.orders, floor: seq },
    used: [...ledger.used, ...used].slice(-MAX_KEPT),
  };
}
