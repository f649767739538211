// From an output of the site policy and its credential to a channel. Secrets come from files only, never from the policy.
import { AgentError } from '../errors/agent-error.ts';
import type { SitePolicy } from '../wire/schemas/site-policy.ts';
import type { Channel, SendHttp } from './channel.ts';
import { centralChannel, type CentralWay } from './channels/central-channel.ts';
import { mailChannel } from './channels/mail-channel.ts';
import { pagerDutyChannel } from './channels/pagerduty-channel.ts';
import { slackChannel } from './channels/slack-channel.ts';
import { teamsChannel } from './channels/teams-channel.ts';
import { webhookChannel } from './channels/webhook-channel.ts';
import type { TicketAction } from './ticket.ts';

export type Output = SitePolicy['outputs'][number];

/** Kinds that take tickets. */
export const TICKET_KINDS = [
  'central',
  'webhook',
  'smtp',
  'slack',
  'teams',
  'pagerduty',
] as const satisfies readonly Output['kind'][];
type TicketKind = (typeof TICKET_KINDS)[number];

export const takesTickets = (output: Output): output is Output & { readonly kind: TicketKind } =>
  TICKET_KINDS.some((kind) => kind === output.kind);

/** `ticket`: all of them; `ticket_opened` and so on: one kind of event. */
export const wants = ({ events }: Output, action: TicketAction): boolean =>
  events.some((event) => event === 'ticket' || event === `ticket_${action}`);

export interface ChannelDeps {
  /** The secret of an output, or null where there is none. */
  readonly secret: (output: Output) => string | null;
  /** Certificates (PEM) that this output must lead to, or null for the system's. */
  readonly caPem: (output: Output) => string | null;
  readonly send: (caPem: string | null) => SendHttp;
  readonly nowMs: () => number;
  /** To the Central Command of this appliance. */
  readonly central: () => CentralWay;
}

/** @throws output_settings, and what reading the secret throws */
export function openChannel(output: Output & { readonly kind: TicketKind }, deps: ChannelDeps): Channel {
  if (output.kind === 'central') return centralChannel(deps.central(), deps.nowMs);
  const caPem = deps.caPem(output);
  const send = deps.send(caPem);
  const origin = originOf(output);
  const path = output.path ?? null;
  const { kind } = output;
  if (kind === 'smtp') return openMail(output, deps.secret(output), caPem);
  const secret = deps.secret(output);
  if (secret === null) throw bad(output, 'there is no credential for it on this appliance');
  switch (kind) {
    case 'webhook':
      return webhookChannel({ url: urlOf(output, path ?? '/', origin), secret }, send, deps.nowMs);
    case 'pagerduty':
      return pagerDutyChannel(
        { url: urlOf(output, path ?? '/v2/enqueue', origin), routingKey: secret },
        send,
        deps.nowMs,
      );
    case 'slack':
      return slackChannel({ origin, channel: path, secret }, send, deps.nowMs);
    case 'teams':
      return teamsChannel({ origin, secret }, send, deps.nowMs);
    default:
      return kind satisfies never;
  }
}

const originOf = ({ host, port }: Output): string => `https://${host.includes(':') ? `[${host}]` : host}:${port}`;

/** A path that begins with `//` would name another host. */
function urlOf(output: Output, path: string, origin: string): URL {
  if (!/^\/(?![/\\])[\x21-\x7e]*$/.test(path)) throw bad(output, 'its path does not begin with one /');
  const url = new URL(path, origin);
  if (url.origin !== new URL(origin).origin) throw bad(output, 'its path leads to another host');
  return url;
}

const ADDRESS = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}$/;

/** `path`: the sender, and after a space the recipients with commas between them. The secret: user, newline, password. */
function openMail(output: Output, secret: string | null, caPem: string | null): Channel {
  const [from = '', list = '', ...more] = (output.path ?? '').split(' ');
  const to = list.split(',');
  if (more.length > 0 || ![from, ...to].every((address) => ADDRESS.test(address))) {
    throw bad(output, 'its path is not a sender, a space, and recipients with commas between them');
  }
  const [user = '', password = '', ...rest] = (secret ?? '').replace(/\n$/, '').split('\n');
  if (secret !== null && (user === '' || password === '' || rest.length > 0)) {
    throw bad(output, 'its credential is not a line with the user and a line with the password');
  }
  const login = secret === null ? null : { user, password };
  return mailChannel({ host: output.host, port: output.port, from, to, login, caPem });
}

const bad = ({ id }: Output, sentence: string): AgentError =>
  new AgentError('output_settings', sentence, { place: id });
