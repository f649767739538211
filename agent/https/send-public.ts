// One request to a service that is not ours (a chat, a pager, a webhook, a language model): TLS 1.2 or later, chain and name checked,
// nothing pinned, no redirect, one deadline, a limit on the answer, a connection of its own.
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { AgentError } from '../errors/agent-error.ts';
import { isLoopbackLiteral, isPrivateHost, privateLookup } from './private-address.ts';
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
  /**
   * `private`: only addresses of the site's own networks are connected to, whatever the name resolves to; to this machine itself
   * without TLS too. Default: `anywhere`.
   */
  readonly reach?: 'anywhere' | 'private';
}

export interface PublicResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
}

/**
 * POST; resolves with any status.
 *
 * @throws what translate-failure.ts names, url_invalid for anything but https, address_not_private, response_too_large, request_timeout
 */
export function sendPublic(r: PublicRequest): Promise<PublicResponse> {
  const { host } = r.url;
  const isPrivate = r.reach === 'private';
  const isPlain = r.url.protocol === 'http:' && isPrivate && isLoopbackLiteral(r.url.hostname);
  if ((r.url.protocol !== 'https:' && !isPlain) || r.url.username !== '') {
    throw new AgentError('url_invalid', 'only https:// without a user is sent to', { place: host });
  }
  if (isPrivate && !isPrivateHost(r.url.hostname)) {
    throw new AgentError('address_not_private', `${host} is no address of this site's own networks`, { place: host });
  }
  const lookup: { lookup?: LookupFunction } = isPrivate ? { lookup: privateLookup } : {};
  const deadline = AbortSignal.timeout(r.deadlineMs);
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      if (r.signal.aborted) reject(new AgentError('request_aborted', 'the request was given up', { place: host }));
      else if (deadline.aborted) {
        reject(new AgentError('request_timeout', `no answer within ${r.deadlineMs / 1_000} s`, { place: host }));
      } else reject(translateFailure(error, { host, phase: 'connect' }));
    };
    const common = {
      method: 'POST',
      headers: { ...r.headers, 'content-length': r.body.length, 'user-agent': 'compliance-agent' },
      signal: AbortSignal.any([r.signal, deadline]),
      agent: false as const,
      ...lookup,
    };
    const secured = {
      minVersion: 'TLSv1.2' as const,
      // Said outright, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment changes nothing.
      rejectUnauthorized: true,
      ...(r.caPem === null ? {} : { ca: r.caPem }),
    };
    const answered = (response: IncomingMessage): void => {
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
    };
    const request = isPlain
      ? httpRequest(r.url, common, answered)
      : httpsRequest(r.url, { ...common, ...secured }, answered);
    request.on('error', fail);
    request.end(r.body);
  });
}
