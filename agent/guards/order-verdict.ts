// `guards` decides whether something may be done now: orders, the maintenance window, breakers. Pure.
//
// What order acceptance knows, and what it may answer.
import type { ErrorCode } from '../errors/codes.ts';
import type { ContentList } from '../wire/schemas/content.ts';
import type { Order, OrderKind } from '../wire/schemas/order.ts';
import type { OrderClass } from '../wire/schemas/primitives.ts';
import type { Root } from '../wire/schemas/root.ts';
import type { MaintenanceWindow, SitePolicy } from '../wire/schemas/site-policy.ts';

/** A window of the site's own configuration. */
export interface LocalWindow {
  readonly timeZone: string;
  readonly windows: readonly MaintenanceWindow[];
}

/** Everything an order is judged by. The caller gathers it; nothing is read behind its back. */
export interface AcceptanceContext {
  readonly root: Root;
  readonly revokedKeyids: ReadonlySet<string>;
  readonly partnerId: string;
  readonly siteId: string;
  readonly applianceId: string;
  readonly epoch: number;
  /** Highest seq decided on in this epoch; 0 before the first. */
  readonly floor: number;
  /** How far above the floor a seq may lie, where that is not the general limit: a helper sees few of the orders. */
  readonly maxSeqStep?: number | undefined;
  /** Time T, Unix seconds; null without signed time in this boot. */
  readonly nowT: number | null;
  /** The content list and site policy in force, verified; null before the first. */
  readonly content: ContentList | null;
  readonly policy: SitePolicy | null;
  /** The window that counts until there is a site policy; null without one. */
  readonly localWindow?: LocalWindow | null | undefined;
  readonly healingPaused: boolean;
  /** False where the check `clock` did not pass, or NTP and T disagree. */
  readonly clockSound: boolean;
  /**
   * Authorisations, by id or by digest, that an order other than this one has used. The caller leaves out what this very
   * order uses when it judges it again before the start.
   */
  readonly usedAuthorisations: ReadonlySet<string>;
  /**
   * Unix seconds: what was used before then is not known here (the database was lost or set back, the machine replaced). An
   * authorisation that is no younger counts as used. Absent: all uses are known.
   */
  readonly usesKnownSince?: number | undefined;
  /** The site's own limit on the life of an order, seconds. Only lowers the general one (15 minutes). */
  readonly maxLifetimeS?: number | undefined;
  /** Kinds that this agent has handlers for. */
  readonly supportedKinds: ReadonlySet<OrderKind>;
  /** True where only class `read` may be taken: signed time went back in this cycle, or the epoch is restricted. */
  readonly readOnly?: boolean | undefined;
  /**
   * T at which each authorisation (by digest) was first seen. The delay of a single approver counts from there, since
   * `issued_at` is that person's own word. One that is not in the map is being seen for the first time.
   */
  readonly authorisationsSeen?: ReadonlyMap<string, number> | undefined;
}

export interface Accepted {
  readonly verdict: 'accepted';
  readonly order: Order;
  /** Hex SHA-256 of the payload. */
  readonly digest: string;
  readonly persons: readonly string[];
  readonly requiredClass: OrderClass;
  readonly authorisationDigest: string | null;
  /** What the caller records as used: an authorisation is single-use by this id. */
  readonly authorisationId: string | null;
}

/** For good: these bytes are never accepted. Recorded once per (digest, code). */
export interface Refused {
  readonly verdict: 'refused';
  readonly outcome: 'rejected' | 'expired';
  readonly code: ErrorCode;
  readonly sentence: string;
  /** Of the payload; of the line where no payload could be read. */
  readonly digest: string;
  /** Null where the refusal came before the schema was judged. */
  readonly order: Order | null;
}

/** Nothing is decided: the same bytes are judged again at the next check-in. `order` is verified, and not to be acted on. */
export interface NotYet {
  readonly verdict: 'not_yet';
  readonly digest: string;
  readonly order: Order;
  readonly code: ErrorCode;
  readonly sentence: string;
}

/** All is well with the order but the moment. Logged once; Central issues it again. */
export interface Deferred {
  readonly verdict: 'deferred';
  readonly digest: string;
  readonly order: Order;
  readonly code: ErrorCode;
  readonly sentence: string;
  /** Unix seconds at which the cause ends; null where that is not known. */
  readonly until: number | null;
  /** For the caller to remember when it was first seen. */
  readonly authorisationDigest: string | null;
}

export type AcceptanceVerdict = Accepted | Refused | NotYet | Deferred;

/** How a step ends an acceptance; null where the order passes it. */
export type Stop =
  | { readonly stop: 'refused'; readonly code: ErrorCode; readonly sentence: string; readonly outcome?: 'expired' }
  | { readonly stop: 'not_yet'; readonly code: ErrorCode; readonly sentence: string }
  | { readonly stop: 'deferred'; readonly code: ErrorCode; readonly sentence: string; readonly until: number | null };

export function refuse(code: ErrorCode, sentence: string): Stop {
  return { stop: 'refused', code, sentence };
}
