// One request to a service that is not ours (a chat, a pager, a webhook): TLS 1.2 or later, chain and name checked, nothing pinned, no
// redirect, one deadline, a limit on the answer, a connection of its own.
import { request as httpsRequest } from 'node:https';
import { AgentError } from '../errors/agent-error.ts';
import { translateFailure } from './translate-failure.ts';

export interface PublicRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Certificates (PEM) to trust in place of the system's. */
  readonly caPem: string | null;
  readonly deadlineMs: number;
  readonly maxResponseBytes: number;
  readonly signal: AbortSignal;
}

export interface PublicResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
}

/**
 * POST; resolves with any status.
 *
 * @throws what translate-failure.ts names, url_invalid for anything but https, response_too_large, request_timeout
 */
export function sendPublic(r: PublicRequest): Promise<PublicResponse> {
  const { host } = r.url;
  if (r.url.protocol !== 'https:' || r.url.username !== '') {
    throw new AgentError('url_invalid', 'only https:// without a user is sent to', { place: host });
  }
  const deadline = AbortSignal.timeout(r.deadlineMs);
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      if (r.signal.aborted) reject(new AgentError('request_aborted', 'the request was given up', { place: host }));
      else if (deadline.aborted) {
        reject(new AgentError('request_timeout', `no answer within ${r.deadlineMs / 1_000} s`, { place: host }));
      } else reject(translateFailure(error, { host, phase: 'connect' }));
    };
    const request = httpsRequest(
      r.url,
      {
        method: 'POST',
        headers: { ...r.headers, 'content-length': r.body.length, 'user-agent': 'compliance-agent' },
        signal: AbortSignal.any([r.signal, deadline]),
        agent: false,
        minVersion: 'TLSv1.2',
        // Said outright, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment changes nothing.
        rejectUnauthorized: true,
        ...(r.caPem === null ? {} : { ca: r.caPem }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          chunks.push(chunk);
          if (size <= r.maxResponseBytes) return;
          reject(
            new AgentError('response_too_large', `the answer is larger than ${r.maxResponseBytes} bytes`, {
              place: host,
            }),
          );
          response.destroy();
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
        );
        response.on('error', fail);
      },
    );
    request.on('error', fail);
    request.end(r.body);
  });
}
