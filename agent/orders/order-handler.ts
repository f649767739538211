// Orders: the journal of what was asked, judged, begun and ended, and the dispatch to handlers, which the daemon injects.
// Every step is committed together with its evidence entry before the next one begins.
import type { ErrorCode } from '../errors/codes.ts';
import type { ActionOutcome } from '../wire/schemas/primitives.ts';
import type { Order, OrderKind } from '../wire/schemas/order.ts';

/** JSON of the evidence entry's `result`: numbers, enums, digests; what is not on the scrubber's allow-list is dropped. */
export type OrderResult = Readonly<Record<string, string | number | boolean | null | readonly (string | number)[]>>;

/** What came of an attempt. `done` says only what the handler's own verify step saw. */
export type ActOutcome =
  | { readonly kind: 'done'; readonly sentence: string; readonly result: OrderResult }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly sentence: string; readonly result: OrderResult }
  /** Neither done nor failed: deferred, reverted, a dry run, a matter for people. */
  | {
      readonly kind: 'ended';
      readonly outcome: Exclude<ActionOutcome, 'success' | 'failed'>;
      readonly code: ErrorCode;
      readonly sentence: string;
      readonly result: OrderResult;
    }
  /** The act ends this process; its result comes from the next start or, that failing, from the deadline. */
  | {
      readonly kind: 'handed_over';
      readonly sentence: string;
      readonly expected: string;
      readonly withinS: number;
      /** Under which name whoever took it over tells its end. */
      readonly run?: string;
    };

/** What a self-ending order left for the process that comes after it. */
export interface HandedOver {
  readonly boot_id: string;
  readonly instance: string;
  readonly expected: string;
  /** Unix seconds by the wall clock; a later start reports failure. */
  readonly deadline: number;
  readonly run?: string;
}

/** What was handed over, as the process that looks after it sees it. */
export interface LookedAfter {
  readonly left: HandedOver;
  readonly isSameBoot: boolean;
  readonly isNewProcess: boolean;
  /** Past the deadline. */
  readonly isLate: boolean;
}

/** Digests by which entries of what an order does name it. */
export interface OrderLink {
  readonly digest: string;
  readonly authorisationDigest: string | null;
}

/** Carries out one kind of order. Never decides whether it may: that was judged before. */
export type OrderHandler = LongHandler | StoreHandler;

/** Does something that takes time or leaves the process. */
export interface LongHandler {
  readonly kind: OrderKind;
  readonly does: 'work';
  /** The act is aborted after this time, then verified. */
  readonly deadlineMs: number | ((order: Order) => number);
  /** Does it and looks at what came of it. May throw: that is a failure with the error's code. */
  act(order: Order, signal: AbortSignal, link: OrderLink): Promise<ActOutcome>;
  /** Looks at what an interrupted act left. Changes nothing. */
  verify(order: Order): OrderResult;
  /** Where that tells for certain that an interrupted act was done: its outcome; null where it was not. */
  settle?(order: Order): ActOutcome | null;
  /**
   * What became of an act that was handed over; null while that is not known yet, and never once it is late. Asked at each start and
   * from then on. Without it, any new process before the deadline is the success.
   */
  lookAfter?(order: Order, seen: LookedAfter): ActOutcome | null;
}

/** Only changes rows of the store: runs inside the transaction that also commits the result, so it cannot be half done. */
export interface StoreHandler {
  readonly kind: OrderKind;
  readonly does: 'store_change';
  act(order: Order, now: number): ActOutcome;
  verify(order: Order): OrderResult;
}
