// Slack. With a bot's token: one message for each ticket, which is changed as the ticket changes (chat.postMessage, chat.update). With an
// incoming webhook: a message for each event, since those cannot be changed.
import { AgentError } from '../../errors/agent-error.ts';
import type { Channel, SendHttp } from '../channel.ts';
import { judgeAnswer } from '../judge-answer.ts';
import { linesOf, subjectOf, type TicketEvent } from '../ticket.ts';

export interface SlackSettings {
  /** `slack.com`, or `hooks.slack.com` for a webhook. */
  readonly origin: string;
  /** A channel's ID (`C…`), for a token. */
  readonly channel: string | null;
  /** `xoxb-…`, or the path of a webhook, `/services/…`. */
  readonly secret: string;
}

/** Errors of the Web API that another try of the same message does not mend (its reference, under "errors"). */
const NEVER = new Set([
  'msg_too_long',
  'no_text',
  'invalid_blocks',
  'invalid_blocks_format',
  'invalid_arguments',
  'too_many_attachments',
]);
/** The message that was to be changed is gone: people may delete it. */
const GONE = new Set(['message_not_found', 'cant_update_message', 'edit_window_closed']);
/** A `header` block takes 150 characters, a text 3,000. */
const MAX_HEADER = 150;
const MAX_TEXT = 3_000;

/** @throws output_settings */
export function slackChannel(settings: SlackSettings, send: SendHttp, nowMs: () => number): Channel {
  const secret = settings.secret.trim();
  const { host } = new URL(settings.origin);
  if (/^\/services\/[A-Za-z0-9/]{20,200}$/.test(secret)) return webhook(new URL(secret, settings.origin), send, nowMs);
  if (!/^xoxb-[A-Za-z0-9-]{20,200}$/.test(secret)) {
    throw new AgentError(
      'output_settings',
      'the secret of Slack is a token xoxb-… or the path /services/… of a webhook',
      {
        place: host,
      },
    );
  }
  const { channel } = settings;
  if (channel === null || !/^[CGD][A-Z0-9]{5,20}$/.test(channel)) {
    throw new AgentError('output_settings', "with a token the policy's path names the ID of a channel (C…)", {
      place: host,
    });
  }
  const call = async (method: string, body: Record<string, unknown>, signal: AbortSignal): Promise<WebApiAnswer> => {
    const url = new URL(`/api/${method}`, settings.origin);
    const headers = { 'content-type': 'application/json; charset=utf-8', authorization: `Bearer ${secret}` };
    const answer = await send({ url, headers, body: Buffer.from(JSON.stringify(body)) }, signal);
    judgeAnswer(answer, host, nowMs());
    return readWebApi(answer.body, host);
  };
  return {
    async deliver(event, reference, signal) {
      const message = { channel, ...slackMessage(event) };
      if (reference !== null) {
        const changed = await call('chat.update', { ...message, ts: reference }, signal);
        if (changed.ok) return { reference };
        if (!GONE.has(changed.error)) throw failed(changed.error, host);
      }
      const posted = await call('chat.postMessage', message, signal);
      if (!posted.ok) throw failed(posted.error, host);
      return { reference: posted.ts };
    },
  };
}

function webhook(url: URL, send: SendHttp, nowMs: () => number): Channel {
  return {
    async deliver(event, _reference, signal) {
      const body = Buffer.from(JSON.stringify(slackMessage(event)));
      judgeAnswer(
        await send({ url, headers: { 'content-type': 'application/json' }, body }, signal),
        url.host,
        nowMs(),
      );
      return { reference: null };
    },
  };
}

type WebApiAnswer = { readonly ok: true; readonly ts: string } | { readonly ok: false; readonly error: string };

/** The Web API says with status 200 that it failed. */
function readWebApi(body: Buffer, host: string): WebApiAnswer {
  let answer: unknown;
  try {
    answer = JSON.parse(body.toString('utf8'));
  } catch {
    answer = null;
  }
  const { ok, ts, error } = (answer ?? {}) as { ok?: unknown; ts?: unknown; error?: unknown };
  if (ok === true && typeof ts === 'string' && ts.length <= 64) return { ok: true, ts };
  if (ok === false && typeof error === 'string')
    return { ok: false, error: error.slice(0, 64).replace(/[^a-z0-9_]/gi, '?') };
  throw new AgentError('output_failed', 'its answer is not one of the Web API', { place: host });
}

function failed(error: string, host: string): AgentError {
  const details = { slack_error: error };
  return NEVER.has(error)
    ? new AgentError('output_refused', `it does not take the message (${error})`, { place: host, details })
    : new AgentError('output_failed', `it answered with ${error}`, { place: host, details });
}

/** `&`, `<` and `>` are Slack's control characters; nothing in a ticket may become a link or a mention. */
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

export function slackMessage(event: TicketEvent): { readonly text: string; readonly blocks: readonly unknown[] } {
  const subject = subjectOf(event);
  const lines = linesOf(event).map(([label, text]) => `*${label}:* ${escaped(text)}`);
  return {
    text: escaped(subject),
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: cut(subject, MAX_HEADER), emoji: false } },
      { type: 'section', text: { type: 'mrkdwn', text: cut(lines.join('\n'), MAX_TEXT) } },
    ],
  };
}

const cut = (text: string, length: number): string => (text.length <= length ? text : `${text.slice(0, length - 1)}…`);
