// A real HTTPS endpoint that speaks like a language model's, honest or lying, and remembers what it was sent. For tests only.
import type { ServerResponse } from 'node:http';
import { PLAN_SCHEMA } from '../../agent/healing/planner/prompt.ts';
import type { IssuedCertificate } from './test-ca.ts';
import { startHttpsServer } from './tls-server.ts';

export interface SeenRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Answers one request; `n` counts from 0. */
export type Lie = (response: ServerResponse, request: SeenRequest, n: number) => void;

export interface LyingModel {
  readonly port: number;
  readonly seen: readonly SeenRequest[];
  /** How it answers from now on. */
  say(lie: Lie): void;
  close(): Promise<void>;
}

/** The frame that servers put around a message. */
export const completion = (content: unknown, more: object = {}, choice: object = {}): object => ({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1_780_315_200,
  model: 'small-2.1',
  choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content, refusal: null }, ...choice }],
  usage: { prompt_tokens: 900, completion_tokens: 90, total_tokens: 990 },
  ...more,
});

export const planText = (plan: object = {}): string =>
  JSON.stringify({
    schema: PLAN_SCHEMA,
    runbook_id: 'RB-WIN-AV-001',
    params: { max_signature_days: 5, tamper_required: null },
    rationale: 'signature_days is above the limit and realtime is off.',
    alternatives: [],
    ...plan,
  });

export function sendJson(
  response: ServerResponse,
  value: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  const body = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
  response.end(body);
}

/** Says the same plan each time. */
export const honest: Lie = (response) => sendJson(response, completion(planText()));

export async function startLyingModel(identity: IssuedCertificate): Promise<LyingModel> {
  const seen: SeenRequest[] = [];
  let lie = honest;
  const server = await startHttpsServer(identity, (request, response, body) => {
    const one = { url: request.url ?? '', headers: request.headers, body: body.toString('utf8') };
    seen.push(one);
    lie(response, one, seen.length - 1);
  });
  return {
    port: server.port,
    seen,
    say: (next) => void (lie = next),
    close: () => server.close(),
  };
}
