// What a channel is to those who deliver: it takes one event and says what came of it.
import type { TicketEvent } from './ticket.ts';

export interface Delivered {
  /** What the other side calls the message or ticket, where the next event has to name that; null where it needs no name. */
  readonly reference: string | null;
}

export interface Channel {
  /**
   * Resolves once the other side took the event. `reference`: what it gave for the last event of the same ticket.
   *
   * @throws output_refused where another try of the same event is of no use; output_failed where it may be, with
   *   `retry_after_s` in the details where the other side named a time
   */
  deliver(event: TicketEvent, reference: string | null, signal: AbortSignal): Promise<Delivered>;
}

/** One HTTP exchange, so that channels need neither network nor trust settings. */
export type SendHttp = (
  request: { readonly url: URL; readonly headers: Readonly<Record<string, string>>; readonly body: Buffer },
  signal: AbortSignal,
) => Promise<{
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
}>;
