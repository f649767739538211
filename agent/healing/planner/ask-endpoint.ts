// One request to one endpoint. Whatever does not come back whole, as status 200 and in time, is `unavailable`: nothing of it is read.
import { isAgentError } from '../../errors/agent-error.ts';
import { retryAfterSeconds } from '../../https/problem.ts';
import { sendPublic } from '../../https/send-public.ts';
import type { Endpoint } from './endpoints.ts';
import { MAX_ANSWER_BYTES, type AnswerHead } from './judge-answer.ts';
import type { EndpointSecrets } from './planner-types.ts';

export type Asked =
  | { readonly came: true; readonly head: AnswerHead; readonly body: Buffer }
  | {
      readonly came: false;
      /** Code of the connection's failure, or `http_<status>`. For the log and the sentence; no text of the endpoint. */
      readonly why: string;
      readonly retryAfterS: number | null;
      /** False where no connection for it was ever made, so that nothing can have left. */
      readonly mayHaveLeft: boolean;
    };

/** The request cannot have been sent where one of these is the reason. */
const BEFORE_SENDING = [
  ...['url_invalid', 'address_not_private', 'dns_failed', 'dns_filtered', 'connect_refused'],
  ...['tls_untrusted', 'tls_name_mismatch', 'tls_date_invalid'],
];

/** Plain HTTP to this machine itself, TLS to every other. */
export function urlOf({ kind, host, port, path }: Endpoint, plain: boolean): URL {
  const at = host.includes(':') ? `[${host}]` : host;
  return new URL(`${plain && kind === 'local' ? 'http' : 'https'}://${at}:${port}${path}`);
}

const isThisMachine = (host: string): boolean => host === '127.0.0.1' || host === '::1';

/** Resolves whatever the endpoint does. @throws the signal's reason, once it is aborted */
export async function askEndpoint(
  endpoint: Endpoint,
  secrets: EndpointSecrets,
  body: string,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<Asked> {
  const key = secrets.key?.trim() ?? '';
  const authorisation: Record<string, string> =
    key === '' ? {} : endpoint.auth === 'api_key' ? { 'api-key': key } : { authorization: `Bearer ${key}` };
  try {
    // A certificate that the appliance was given for a place on this machine means that TLS is spoken there.
    const url = urlOf(endpoint, isThisMachine(endpoint.host) && secrets.caPem === null);
    const {
      status,
      headers,
      body: answer,
    } = await sendPublic({
      url,
      headers: { 'content-type': 'application/json', accept: 'application/json', ...authorisation },
      body: Buffer.from(body, 'utf8'),
      caPem: secrets.caPem,
      deadlineMs,
      maxResponseBytes: MAX_ANSWER_BYTES,
      signal,
      reach: endpoint.kind === 'local' ? 'private' : 'anywhere',
    });
    if (status === 200) return { came: true, head: { status, headers }, body: answer };
    const plain = Object.entries(headers).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name, value]] : [],
    );
    const retryAfterS = retryAfterSeconds(Object.fromEntries(plain) as Record<string, string>);
    return { came: false, why: `http_${status}`, retryAfterS, mayHaveLeft: true };
  } catch (error) {
    signal.throwIfAborted();
    const why = isAgentError(error) ? error.code : 'internal';
    return { came: false, why, retryAfterS: null, mayHaveLeft: !BEFORE_SENDING.includes(why) };
  }
}
