// Bodies of `order` evidence entries. Pure.
import type { EntryBody } from '../wire/schemas/entry.ts';
import type { ActionOutcome } from '../wire/schemas/primitives.ts';
import type { Order } from '../wire/schemas/order.ts';
import type { OrderResult } from './order-handler.ts';

type Body = EntryBody<'order'>;
/** An entry's sentence is at most 600 characters; reasons are cut, never the codes. */
const MAX_SENTENCE = 600;

export interface OrderEntryParts {
  readonly digest: string;
  readonly authorisationDigest?: string | null;
  /** Null where a refusal came before the order could be read. */
  readonly order: Pick<Order, 'order_id' | 'seq' | 'kind'> | null;
  readonly state: Body['state'];
  readonly outcome?: ActionOutcome;
  readonly code?: string;
  readonly sentence: string;
  readonly result?: OrderResult;
}

/** The body of the entry that records one step of one order. */
export function orderEntry(parts: OrderEntryParts): Body {
  return {
    order_digest: parts.digest,
    ...(parts.authorisationDigest ? { authorisation_digest: parts.authorisationDigest } : {}),
    order_id: parts.order?.order_id ?? null,
    order_seq: parts.order?.seq ?? null,
    order_kind: parts.order?.kind ?? null,
    state: parts.state,
    ...(parts.outcome === undefined ? {} : { outcome: parts.outcome }),
    ...(parts.code === undefined ? {} : { code: parts.code }),
    sentence: parts.sentence.slice(0, MAX_SENTENCE),
    ...(parts.result === undefined ? {} : { result: { ...parts.result } as Body['result'] & object }),
  };
}
