// One question to a timestamp authority over HTTP (RFC 3161 section 3.4), with a deadline over everything and a limit on the
// answer. An authority is not trusted with anything: what it says is checked by its signature, so plain HTTP is enough.
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { AgentError } from '../errors/agent-error.ts';
import { MAX_TIMESTAMP_BYTES } from '../wire/timestamp.ts';

const QUERY = 'application/timestamp-query';
const REPLY = 'application/timestamp-reply';
/** An authority answers within a second or two. */
export const TIMESTAMP_DEADLINE_MS = 20_000;

/**
 * Gives the body of a good answer; what is in it is for the caller to judge.
 *
 * @throws timestamp_refused for everything else: no connection, no answer in time, another status or type, too much; the
 *   reason of `signal` where that aborts
 */
export function askForTimestamp(
  url: string,
  query: Buffer,
  signal: AbortSignal,
  deadlineMs: number = TIMESTAMP_DEADLINE_MS,
): Promise<Buffer> {
  const deadline = AbortSignal.timeout(deadlineMs);
  return new Promise((resolve, reject) => {
    const fail = (sentence: string, cause?: unknown): void => {
      if (signal.aborted) reject(signal.reason as Error);
      else if (deadline.aborted) reject(refused(`no answer within ${deadlineMs / 1_000} s`, url, cause));
      else reject(refused(sentence, url, cause));
    };
    const send = url.startsWith('https:') ? httpsRequest : httpRequest;
    const request = send(
      url,
      {
        method: 'POST',
        headers: { 'content-type': QUERY, accept: REPLY, 'content-length': query.length },
        signal: AbortSignal.any([signal, deadline]),
        // A connection of its own: once a day.
        agent: false,
      },
      (response) => {
        const { statusCode = 0, headers } = response;
        const type = (headers['content-type'] ?? 'no type').split(';')[0]?.trim().toLowerCase() ?? '';
        if (statusCode !== 200 || type !== REPLY) {
          fail(`it answered with status ${statusCode} and ${type.slice(0, 60)} instead of a timestamp`);
          response.destroy();
          return;
        }
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          chunks.push(chunk);
          if (size <= MAX_TIMESTAMP_BYTES) return;
          fail(`its answer is larger than ${MAX_TIMESTAMP_BYTES} bytes`);
          response.destroy();
        });
        response.on('end', () => resolve(Buffer.concat(chunks)));
        response.on('error', (cause) => fail('its answer broke off', cause));
      },
    );
    request.on('error', (cause: NodeJS.ErrnoException) =>
      fail(`it cannot be reached (${cause.code ?? 'unknown'})`, cause),
    );
    request.end(query);
  });
}

const refused = (sentence: string, place: string, cause: unknown): AgentError<'timestamp_refused'> =>
  new AgentError('timestamp_refused', `the timestamp authority gave no timestamp: ${sentence}`, { place, cause });
