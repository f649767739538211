// Hands waiting events to their outputs: in order for each ticket, at least once, each output at its own pace. One that hangs or refuses
// holds up nobody else.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { DeliveryRow, TicketsTable } from '../store/tickets.ts';
import type { Log } from '../system/ports.ts';
import type { Channel } from './channel.ts';
import type { TicketEvent } from './ticket.ts';

/** Doubled from the first to the longest. */
const FIRST_PAUSE_S = 30;
const LONGEST_PAUSE_S = 3_600;
/** What nobody took for so long is a dead letter: whoever reads it then reads history. */
export const GIVE_UP_AFTER_S = 72 * 3_600;
/** To one output in one run; the rest waits for the next. */
const MESSAGES_PER_RUN = 20;
const DEADLINE_MS = 60_000;

export interface DeliveryDeps {
  readonly table: Pick<TicketsTable, 'due' | 'settle' | 'reference'>;
  /** By id of the output; the error of one that cannot be used as it is configured. */
  readonly channels: { get(outputId: string): Channel | AgentError | undefined };
  /** When an output may be asked again, Unix seconds; kept between runs. */
  readonly pausedUntil: Map<string, number>;
  readonly nowS: () => number;
  readonly log: Log;
}

/** Resolves when every output was tried or paused; never rejects for what an output does. */
export async function deliverTickets(deps: DeliveryDeps, signal: AbortSignal): Promise<void> {
  const byOutput = Map.groupBy(deps.table.due(deps.nowS()), (row) => row.outputId);
  await Promise.all([...byOutput].map(([outputId, rows]) => serve(outputId, rows, deps, signal)));
}

async function serve(
  outputId: string,
  rows: readonly DeliveryRow[],
  deps: DeliveryDeps,
  signal: AbortSignal,
): Promise<void> {
  if ((deps.pausedUntil.get(outputId) ?? 0) > deps.nowS()) return;
  const channel = deps.channels.get(outputId);
  for (const row of rows.slice(0, MESSAGES_PER_RUN)) {
    if (signal.aborted) return;
    const failure = await tryOne(row, channel, deps, signal);
    if (failure === null) continue;
    if (signal.aborted) return;
    if (!settleFailure(row, failure, deps)) return;
  }
}

/** Null where it was taken. */
async function tryOne(
  row: DeliveryRow,
  channel: Channel | AgentError | undefined,
  { table, nowS }: DeliveryDeps,
  signal: AbortSignal,
): Promise<AgentError | null> {
  if (channel === undefined) return new AgentError('output_refused', 'the site policy names this output no more');
  if (channel instanceof AgentError) return channel;
  try {
    const before = table.reference(row.outputId, row.ticketId);
    const within = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]);
    const { reference } = await channel.deliver(JSON.parse(row.event) as TicketEvent, before, within);
    table.settle({ ...row, state: 'sent', attempts: row.attempts + 1, nextAt: nowS(), failure: null, reference });
    return null;
  } catch (error) {
    return isAgentError(error)
      ? error
      : new AgentError('output_failed', 'it failed with a defect of this program', { cause: error });
  }
}

/** True where the output may be asked for the next message at once. */
function settleFailure(row: DeliveryRow, error: AgentError, { table, nowS, log, pausedUntil }: DeliveryDeps): boolean {
  const now = nowS();
  const attempts = row.attempts + 1;
  const isOver = error.code === 'output_refused' || now - row.queuedAt >= GIVE_UP_AFTER_S;
  const pauseS = pauseAfter(attempts, error);
  const next = { ...row, attempts, failure: error.code, reference: row.reference };
  table.settle({ ...next, state: isOver ? 'dead' : 'waiting', nextAt: now + pauseS });
  const fields = { output: row.outputId, ticket: row.ticketId, code: error.code, reason: error.message };
  if (isOver) {
    log.error('ticket given up', fields);
    return error.code === 'output_refused';
  }
  log.warn('ticket not delivered', { ...fields, retry_in_s: pauseS });
  pausedUntil.set(row.outputId, now + pauseS);
  return false;
}

/** Seconds until the next try: what the other side asked for, else doubled with each attempt. Pure. */
export function pauseAfter(attempts: number, error: AgentError): number {
  const asked = error.details['retry_after_s'];
  if (typeof asked === 'number') return Math.max(1, asked);
  return Math.min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** Math.min(attempts - 1, 10));
}
