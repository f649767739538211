// Judges the orders of one answer and commits what was decided: acceptance with its floor, or one refusal per payload and code.
import type { AcceptanceContext, AcceptanceVerdict } from '../guards/order-verdict.ts';
import { acceptOrder } from '../guards/order-acceptance.ts';
import type { EvidenceLog } from '../evidence/log.ts';
import type { Store } from '../store/open-store.ts';
import type { Log } from '../system/ports.ts';
import { noteAuthorisation } from './authorisations-seen.ts';
import { orderEntry } from './order-entry.ts';

export interface ReceiveDeps {
  readonly store: Store;
  readonly evidence: Pick<EvidenceLog, 'append'>;
  readonly log: Log;
  /** Everything that acceptance is judged by, with the floor of this moment. */
  readonly acceptance: () => AcceptanceContext;
  /** Unix seconds for the journal's rows (wall clock; nothing is judged by it). */
  readonly now: () => number;
}

export interface Received {
  readonly accepted: number;
  readonly refused: number;
  readonly waiting: number;
  /** Refused, and beyond what is recorded one by one within an hour. */
  readonly unrecorded: number;
}

/**
 * Refusals that get an entry of their own within an hour. Whoever holds Central Command could otherwise fill the log and the
 * disk with forgeries, each of them different; beyond this an alert says that there were more.
 */
export const MAX_REFUSALS_PER_HOUR = 120;
const HOUR_S = 3_600;

/** `lines` are the envelopes of one answer, in any order; they are taken by ascending `seq`. */
export function receiveOrders(lines: readonly string[], deps: ReceiveDeps): Received {
  const counts = { accepted: 0, refused: 0, waiting: 0, unrecorded: 0 };
  for (const { line, verdict: first, floor } of byVerifiedSeq(lines, deps)) {
    // Verifying is dear; only an acceptance before this one can have changed what was found.
    const now = deps.acceptance();
    const verdict = first.verdict === 'accepted' && now.floor !== floor ? acceptOrder(line, now) : first;
    if (awaitsItsEnd(verdict, deps.store)) continue;
    const again = reusesId(verdict, deps.store);
    if (again !== null) {
      counts[commitRefused(again, deps)] += 1;
      continue;
    }
    switch (verdict.verdict) {
      case 'accepted':
        commitAccepted(line, verdict, deps);
        counts.accepted += 1;
        break;
      case 'refused':
        counts[commitRefused(verdict, deps)] += 1;
        break;
      case 'deferred':
        commitDeferred(verdict, now.nowT, deps);
        counts.waiting += 1;
        break;
      case 'not_yet':
        counts.waiting += 1;
        break;
    }
  }
  return counts;
}

/**
 * Central lists an order until it has our result, so one that is in the journal and not yet reported as ended is no replay.
 * After that a second sight of it is judged like any other, and refused by its `seq`.
 */
function awaitsItsEnd(verdict: AcceptanceVerdict, store: Store): boolean {
  const known = store.orders.byDigest(verdict.digest);
  return known !== null && known.endReported === 0;
}

/** One id names one order: another one under it, which only the order key can sign, is refused. */
function reusesId(verdict: AcceptanceVerdict, store: Store): Extract<AcceptanceVerdict, { verdict: 'refused' }> | null {
  if (verdict.verdict !== 'accepted' || store.orders.byId(verdict.order.order_id) === null) return null;
  const { digest, order } = verdict;
  const sentence = 'another order with this id was accepted before';
  return { verdict: 'refused', outcome: 'rejected', code: 'order_id_reused', sentence, digest, order };
}

interface Judged {
  readonly line: string;
  readonly verdict: AcceptanceVerdict;
  /** The floor that it was judged with. */
  readonly floor: number;
}

/** Only verified orders have a `seq` to sort by; what is refused anyway comes last, as it stands. */
function byVerifiedSeq(lines: readonly string[], deps: ReceiveDeps): Judged[] {
  const context = deps.acceptance();
  const seqOf = ({ verdict }: Judged): number => verdict.order?.seq ?? Number.MAX_SAFE_INTEGER;
  return lines
    .map((line) => ({ line, verdict: acceptOrder(line, context), floor: context.floor }))
    .toSorted((a, b) => seqOf(a) - seqOf(b));
}

function commitAccepted(
  line: string,
  verdict: Extract<AcceptanceVerdict, { verdict: 'accepted' }>,
  deps: ReceiveDeps,
): void {
  const { order, digest, authorisationDigest, authorisationId } = verdict;
  const at = deps.now();
  deps.store.unit(() => {
    deps.store.orders.raiseFloor(order.epoch, order.seq);
    if (authorisationId !== null) deps.store.orders.useAuthorisation(authorisationId, digest, at);
    const entry = deps.evidence.append(
      'order',
      orderEntry({
        digest,
        authorisationDigest,
        order,
        state: 'accepted',
        sentence: `The order ${order.kind} was accepted.`,
      }),
    );
    deps.store.orders.insert({
      orderId: order.order_id,
      epoch: order.epoch,
      seq: order.seq,
      digest,
      kind: order.kind,
      line,
      state: 'accepted',
      evidenceSeq: entry.seq,
      at,
    });
  });
  deps.log.info('order accepted', { order_id: order.order_id, seq: order.seq, kind: order.kind });
}

/** Nothing is written twice for one payload and code: the second sight of it counts as refused and is no event. */
function commitRefused(
  verdict: Extract<AcceptanceVerdict, { verdict: 'refused' }>,
  deps: ReceiveDeps,
): 'refused' | 'unrecorded' {
  const { digest, code, outcome, sentence, order } = verdict;
  const at = deps.now();
  if (deps.store.orders.refusal(digest, code) !== null) return 'refused';
  const recent = deps.store.orders.refusals(MAX_REFUSALS_PER_HOUR).filter((row) => Math.abs(at - row.at) < HOUR_S);
  if (recent.length >= MAX_REFUSALS_PER_HOUR) return 'unrecorded';
  deps.store.unit(() => {
    const entry = deps.evidence.append(
      'order',
      orderEntry({ digest, order, state: 'refused', outcome, code, sentence }),
    );
    const orderId = order?.order_id ?? null;
    deps.store.orders.recordRefusal({ digest, code, outcome, orderId, sentence, evidenceSeq: entry.seq, at });
  });
  deps.log.warn('order refused', { order_id: order?.order_id, payload_sha256: digest, code, reason: sentence });
  return 'refused';
}

function commitDeferred(
  verdict: Extract<AcceptanceVerdict, { verdict: 'deferred' }>,
  nowT: number | null,
  deps: ReceiveDeps,
): void {
  const { digest, code, sentence, order, authorisationDigest } = verdict;
  const key = `order_deferred/${digest}`;
  if (authorisationDigest !== null && nowT !== null) noteAuthorisation(deps.store, authorisationDigest, nowT);
  if (deps.store.settings.get(key) === code) return;
  deps.store.unit(() => {
    deps.evidence.append(
      'order',
      orderEntry({ digest, order, state: 'deferred', outcome: 'deferred', code, sentence }),
    );
    deps.store.settings.set(key, code);
  });
  deps.log.info('order deferred', { order_id: order.order_id, code, reason: sentence });
}
