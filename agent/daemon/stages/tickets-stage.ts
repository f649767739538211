// Keeps the tickets of what is not as it should be, and hands what is new of them to the outputs that the site policy names.
import { existsSync } from 'node:fs';
import { CHECKS } from '../../checks/registry.ts';
import { WINDOWS_CHECKS } from '../../checks/windows/registry.ts';
import { isAgentError, type AgentError } from '../../errors/agent-error.ts';
import { scrubSentence } from '../../evidence/scrub-sentence.ts';
import { sendPublic } from '../../https/send-public.ts';
import type { Channel } from '../../outputs/channel.ts';
import { observe, type FindingView } from '../../outputs/conditions.ts';
import { deliverTickets } from '../../outputs/deliver-tickets.ts';
import { openChannel, takesTickets, wants, type Output } from '../../outputs/open-channel.ts';
import { noteConditions, REOPEN_WITHIN_S } from '../../outputs/ticket-book.ts';
import { ticketEntry } from '../../outputs/ticket-entry.ts';
import type { Ticket } from '../../outputs/ticket.ts';
import { readFileLimited, readSecretFile } from '../../system/files.ts';
import type { Enrolled } from '../agent-state.ts';
import type { DaemonContext } from '../context.ts';
import { credentialPath } from '../credential-path.ts';
import { healingView } from '../healing-view.ts';
import { signedNow } from '../note-incident.ts';
import { alertViews } from '../target-certificates.ts';
import { nowSeconds } from '../context.ts';
import type { Stage } from '../stage.ts';

const INTERVAL_MS = 5_000;
/** Every message has a deadline of its own. */
const DEADLINE_MS = 600_000;
const MAX_ANSWER_BYTES = 65_536;
const HTTP_DEADLINE_MS = 30_000;
const MAX_SECRET_BYTES = 4_096;
const MAX_CA_BYTES = 1_048_576;
/** Deliveries that ended are kept this long, for `tickets list`. */
const KEEP_ENDED_S = 30 * 86_400;
const UNDELIVERED_AFTER_S = 3_600;
/** A dead letter is an alert for so long after it was queued: longer than it takes to give one up. */
const TELL_DEAD_FOR_S = 7 * 86_400;

const TITLES = new Map([...CHECKS, ...WINDOWS_CHECKS].map(({ id, title }): [string, string] => [id, title]));

export function ticketsStage(context: DaemonContext): Stage {
  const { state, store, clock, log } = context;
  const pausedUntil = new Map<string, number>();
  return {
    name: 'tickets',
    wanted: () => state.enrolled !== null,
    intervalMs: () => INTERVAL_MS,
    jittered: false,
    deadlineMs: DEADLINE_MS,
    longestPauseMs: () => INTERVAL_MS,
    async run(signal, runId) {
      const { enrolled } = state;
      if (enrolled === null) return;
      const outputs = (enrolled.trust.policy()?.value.outputs ?? []).filter(takesTickets);
      noteTickets(context, outputs);
      const table = store.tickets;
      const child = log.child({ run_id: runId, stage: 'tickets' });
      // Secrets are read when there is something to send.
      const channels = {
        get: (id: string): Channel | AgentError | undefined => {
          const output = outputs.find((one) => one.id === id);
          return output === undefined ? undefined : channelOf(output, context, enrolled, runId);
        },
      };
      await deliverTickets({ table, channels, pausedUntil, nowS: () => nowSeconds(clock), log: child }, signal);
      tellUndelivered(context);
    },
  };
}

function noteTickets(context: DaemonContext, outputs: readonly Output[]): void {
  const { state, store, clock } = context;
  const { enrolled } = state;
  if (enrolled === null) return;
  const now = nowSeconds(clock);
  const tickets = store.tickets.all().map((json) => JSON.parse(json) as Ticket);
  const known = tickets.filter((ticket) => ticket.state !== 'closed').map(({ key }) => key);
  // Its own alert is none of them: a ticket about tickets that do not arrive would not arrive.
  const alerts = alertViews(store, enrolled.recorder).filter(({ code }) => code !== 'ticket_undelivered');
  const { applianceId, siteId } = enrolled.identity;
  const seen = observe(findingViews(context), alerts, known);
  for (const { ticket, event } of noteConditions({ ...seen, tickets, now, applianceId, siteId })) {
    const to = event === null ? [] : outputs.filter((output) => wants(output, event.action));
    const queued = to.map((output) => ({
      eventId: event?.id ?? '',
      outputId: output.id,
      ticketId: ticket.id,
      event: JSON.stringify(event),
      queuedAt: now,
    }));
    const row = { id: ticket.id, key: ticket.key, json: JSON.stringify(ticket) };
    store.unit(() => {
      store.tickets.put(row, queued);
      const body = event === null ? null : ticketEntry(event, incidentOfTicket(context, ticket.key));
      if (body !== null) enrolled.evidence.append('ticket', body);
    });
  }
  const over = tickets.filter(({ closedAt }) => closedAt !== null && now - closedAt > REOPEN_WITHIN_S);
  store.tickets.forget(
    over.map(({ id }) => id),
    now - KEEP_ENDED_S,
  );
}

/** The newest incident that is not closed, of a ticket about drift. */
function incidentOfTicket({ store }: Pick<DaemonContext, 'store'>, key: string): string | null {
  const [kind, target, check] = key.split('/');
  if (kind !== 'finding' || target === undefined || check === undefined) return null;
  const open = store.incidents.ofCheck(target, check).filter(({ state }) => state !== 'closed');
  return open.toSorted((a, b) => b.changedAt - a.changedAt)[0]?.incidentId ?? null;
}

const ignore = (): void => undefined;

function findingViews(context: DaemonContext): FindingView[] {
  const { state, store } = context;
  const nowT = signedNow(context);
  return [...state.findings.values()].flatMap((finding) => {
    const recorded = store.findings.get(finding.target.id, finding.check.id);
    // Without an entry to point at nothing is told.
    if (recorded === null) return [];
    return [
      {
        target: finding.target.id,
        check: finding.check.id,
        title: TITLES.get(finding.check.id) ?? finding.check.id,
        result: recorded.result,
        severity: recorded.severity,
        // As they stand in the log; what was removed is counted there.
        sentence: scrubSentence(recorded.sentence, ignore),
        remedy: finding.remedy === undefined ? null : scrubSentence(finding.remedy, ignore),
        controls: finding.controls.map(({ cite }) => cite),
        entry: recorded.sinceSeq,
        healing: healingView(store, finding.target.id, finding.check.id, nowT),
      },
    ];
  });
}

function channelOf(
  output: Parameters<typeof openChannel>[0],
  context: DaemonContext,
  enrolled: Enrolled,
  correlationId: string,
): Channel | AgentError {
  const file = (suffix: string): string => credentialPath(context, `${output.credential ?? output.id}${suffix}`);
  try {
    return openChannel(output, {
      secret: () => (existsSync(file('')) ? readSecretFile(file(''), MAX_SECRET_BYTES).toString('utf8') : null),
      caPem: () => (existsSync(file('.ca')) ? readFileLimited(file('.ca'), MAX_CA_BYTES).toString('utf8') : null),
      send: (caPem) => (request, signal) =>
        sendPublic({ ...request, caPem, deadlineMs: HTTP_DEADLINE_MS, maxResponseBytes: MAX_ANSWER_BYTES, signal }),
      nowMs: () => context.clock.wallMs(),
      central: () => ({ https: enrolled.https, signer: context.keys.signer, correlationId }),
    });
  } catch (error) {
    if (isAgentError(error)) return error;
    throw error;
  }
}

function tellUndelivered({ state, store, clock }: DaemonContext): void {
  const now = nowSeconds(clock);
  const { waiting, dead, oldestWaiting } = store.tickets.counts(now - TELL_DEAD_FOR_S);
  const isLate = oldestWaiting !== null && now - oldestWaiting >= UNDELIVERED_AFTER_S;
  const recorder = state.enrolled?.recorder;
  if (isLate || dead > 0) recorder?.raise('ticket_undelivered', { severity: 'high', details: { waiting, dead } });
  else recorder?.clear('ticket_undelivered');
}
