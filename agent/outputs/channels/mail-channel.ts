// E-mail over SMTP, always encrypted (STARTTLS, or TLS from the first byte at port 465). Message-ID is made from the event, so that a
// message which went out twice is one to the mailbox; the mails of one ticket are a thread.
import { createTransport } from 'nodemailer';
import { AgentError } from '../../errors/agent-error.ts';
import type { Channel } from '../channel.ts';
import { linesOf, subjectOf, type TicketEvent } from '../ticket.ts';

export interface MailSettings {
  readonly host: string;
  readonly port: number;
  readonly from: string;
  readonly to: readonly string[];
  /** Null: the server takes mail from here without a logon. */
  readonly login: { readonly user: string; readonly password: string } | null;
  readonly caPem: string | null;
}

const SMTPS = 465;
const CONNECT_MS = 10_000;
const IDLE_MS = 20_000;
/** RFC 5321 4.2.1: refused for good. It is about this message only where the client was at its addresses or its text. */
const REFUSED = /^5\d\d$/;
const ABOUT_MESSAGE = new Set(['EENVELOPE', 'EMESSAGE']);

export function mailChannel(settings: MailSettings): Channel {
  const place = `${settings.host}:${settings.port}`;
  return {
    async deliver(event, _reference, signal) {
      const transport = createTransport({
        host: settings.host,
        port: settings.port,
        secure: settings.port === SMTPS,
        requireTLS: true,
        ...(settings.login === null ? {} : { auth: { user: settings.login.user, pass: settings.login.password } }),
        connectionTimeout: CONNECT_MS,
        greetingTimeout: CONNECT_MS,
        socketTimeout: IDLE_MS,
        tls: {
          minVersion: 'TLSv1.2',
          rejectUnauthorized: true,
          ...(settings.caPem === null ? {} : { ca: settings.caPem }),
        },
        disableFileAccess: true,
        disableUrlAccess: true,
      });
      const stop = (): void => transport.close();
      signal.addEventListener('abort', stop, { once: true });
      try {
        await transport.sendMail(mailOf(event, settings));
        return { reference: null };
      } catch (error) {
        throw failureOf(error, place);
      } finally {
        signal.removeEventListener('abort', stop);
        transport.close();
      }
    },
  };
}

/** What nodemailer sends. Plain text only: nothing to load, nothing to click. */
export function mailOf(event: TicketEvent, { from, to }: Pick<MailSettings, 'from' | 'to'>) {
  const domain = `${event.applianceId}.compliance-agent.invalid`;
  const first = `<${event.ticket.id}-1@${domain}>`;
  const id = `<${event.id}@${domain}>`;
  return {
    from,
    to: [...to],
    subject: subjectOf(event),
    text: `${linesOf(event)
      .map(([label, text]) => `${label}: ${text}`)
      .join('\n')}\n`,
    messageId: id,
    date: new Date(event.at * 1_000),
    ...(id === first ? {} : { inReplyTo: first, references: first }),
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Compliance-Ticket': event.ticket.id },
  };
}

function failureOf(error: unknown, place: string): AgentError {
  const { responseCode, code } = (error ?? {}) as { responseCode?: unknown; code?: unknown };
  const status = typeof responseCode === 'number' ? String(responseCode) : null;
  const word = typeof code === 'string' ? code.slice(0, 40).replace(/[^A-Z0-9_]/gi, '?') : 'unknown';
  const details = { native: word, ...(status === null ? {} : { status: Number(status) }) };
  // The server's own words are left out: they quote addresses.
  return status !== null && REFUSED.test(status) && ABOUT_MESSAGE.has(word)
    ? new AgentError('output_refused', `it does not take the message (${status})`, { place, details })
    : new AgentError('output_failed', `it did not take the message (${status ?? word})`, { place, details });
}
