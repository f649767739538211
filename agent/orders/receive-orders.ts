// Judges the orders of one answer and commits what was decided: acceptance with its floor, or one refusal per payload and code.
import type { AcceptanceContext, AcceptanceVerdict } from '../guards/order-verdict.ts';
import { acceptOrder } from '../guards/order-acceptance.ts';
import type { EvidenceLog } from '../evidence/log.ts';
import type { Store } from '../store/open-store.ts';
import type { Log } from '../system/ports.ts';
import { envelopeFromEmbedded } from '../wire/dsse.ts';
import { parseDocument } from '../wire/document.ts';
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
}

/** `lines` are the envelopes of one answer, in any order; they are taken by ascending `seq`. */
export function receiveOrders(lines: readonly string[], deps: ReceiveDeps): Received {
  const counts = { accepted: 0, refused: 0, waiting: 0 };
  for (const line of byVerifiedSeq(lines, deps)) {
    const verdict = acceptOrder(line, deps.acceptance());
    if (awaitsItsEnd(verdict, deps.store)) continue;
    switch (verdict.verdict) {
      case 'accepted':
        commitAccepted(line, verdict, deps);
        counts.accepted += 1;
        break;
      case 'refused':
        if (commitRefused(verdict, deps)) counts.refused += 1;
        break;
      case 'deferred':
        commitDeferred(verdict, deps);
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

/** Only verified orders have a `seq` to sort by; what is refused anyway comes last, as it stands. */
function byVerifiedSeq(lines: readonly string[], deps: ReceiveDeps): string[] {
  const context = deps.acceptance();
  return lines
    .map((line, index) => {
      const verdict = acceptOrder(line, context);
      return { line, index, seq: verdict.order === null ? Number.MAX_SAFE_INTEGER : verdict.order.seq };
    })
    .toSorted((a, b) => a.seq - b.seq || a.index - b.index)
    .map((item) => item.line);
}

function commitAccepted(
  line: string,
  verdict: Extract<AcceptanceVerdict, { verdict: 'accepted' }>,
  deps: ReceiveDeps,
): void {
  const { order, digest, authorisationDigest } = verdict;
  const at = deps.now();
  deps.store.unit(() => {
    deps.store.orders.raiseFloor(order.epoch, order.seq);
    if (order.authorisation !== undefined) {
      const { payload } = envelopeFromEmbedded(order.authorisation);
      deps.store.orders.useAuthorisation(parseDocument('authorisation', payload).authorisation_id, digest, at);
    }
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

/** False when this payload was refused for this reason before: nothing is written twice. */
function commitRefused(verdict: Extract<AcceptanceVerdict, { verdict: 'refused' }>, deps: ReceiveDeps): boolean {
  const { digest, code, outcome, sentence, order } = verdict;
  if (deps.store.orders.refusal(digest, code) !== null) return false;
  deps.store.unit(() => {
    const entry = deps.evidence.append(
      'order',
      orderEntry({ digest, order, state: 'refused', outcome, code, sentence }),
    );
    const orderId = order?.order_id ?? null;
    deps.store.orders.recordRefusal({
      digest,
      code,
      outcome,
      orderId,
      sentence,
      evidenceSeq: entry.seq,
      at: deps.now(),
    });
  });
  deps.log.warn('order refused', { order_id: order?.order_id, payload_sha256: digest, code, reason: sentence });
  return true;
}

function commitDeferred(verdict: Extract<AcceptanceVerdict, { verdict: 'deferred' }>, deps: ReceiveDeps): void {
  const { digest, code, sentence, order } = verdict;
  const key = `order_deferred/${digest}`;
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
