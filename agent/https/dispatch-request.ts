// One request on one undici connection: the whole answer within a limit, or one error. Spoken to undici's own interface for
// handlers, without its streams: a body here is small, capped, and wanted whole.
import { createRequire } from 'node:module';
import type { Client, Dispatcher } from 'undici';
import { AgentError } from '../errors/agent-error.ts';
import type { Phase } from './translate-failure.ts';

/**
 * undici's connection class alone. Its index also loads fetch, mocks, caches and proxies: 11 MiB more resident in a daemon
 * that never calls them. The package has no `exports` map and its version is pinned, so the path holds.
 */
export const UndiciClient = createRequire(import.meta.url)('undici/lib/dispatcher/client.js') as typeof Client;
export type UndiciClient = Client;

export interface WholeResponse {
  readonly status: number;
  /** Lower-case names; repeated fields joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface DispatchOptions {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  readonly maxResponseBytes: number;
  /** For messages. */
  readonly host: string;
  readonly signal: AbortSignal;
  readonly onPhase: (phase: Phase) => void;
}

/** Rejects with the signal's reason, response_too_large, or what undici says; the connection is then not to be used again. */
export function dispatchRequest(client: UndiciClient, o: DispatchOptions): Promise<WholeResponse> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let status = 0;
    let headers: Record<string, string> = {};
    let controller: Dispatcher.DispatchController | null = null;

    const stop = (reason: Error): void => {
      o.signal.removeEventListener('abort', onAbort);
      reject(reason);
      controller?.abort(reason);
    };
    const onAbort = (): void => stop(o.signal.reason as Error);
    if (o.signal.aborted) {
      reject(o.signal.reason as Error);
      return;
    }
    o.signal.addEventListener('abort', onAbort, { once: true });

    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(started) {
        controller = started;
      },
      onResponseStarted: () => o.onPhase('headers'),
      onResponseStart(_controller, statusCode, fields) {
        // Interim answers (1xx) say nothing yet.
        if (statusCode < 200) return;
        status = statusCode;
        headers = flatten(fields);
        o.onPhase('body');
        if (Number(headers['content-length'] ?? 0) > o.maxResponseBytes) stop(tooLarge(o));
      },
      onResponseData(_controller, chunk) {
        size += chunk.length;
        if (size > o.maxResponseBytes) stop(tooLarge(o));
        else chunks.push(chunk);
      },
      onResponseEnd() {
        o.signal.removeEventListener('abort', onAbort);
        resolve({ status, headers, body: Buffer.concat(chunks, size) });
      },
      onResponseError(_controller, error) {
        o.signal.removeEventListener('abort', onAbort);
        reject(error);
      },
    };
    const { method, path, body } = o;
    client.dispatch({ method, path, body, headers: { ...o.headers } }, handler);
  });
}

function tooLarge(o: DispatchOptions): AgentError {
  return new AgentError('response_too_large', `the answer of ${o.host} is larger than ${o.maxResponseBytes} bytes`, {
    place: o.host,
    details: { host: o.host, max_bytes: o.maxResponseBytes },
  });
}

function flatten(fields: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}
