// One plain HTTP request, as browsers make to find a captive portal. It carries the name of the host and nothing else.
import { request } from 'node:http';

const ANSWER_MS = 4_000;
/** The beginning of a page is enough to see that it is one. */
const MAX_BODY_BYTES = 4_096;

export interface HttpLook {
  readonly status: number;
  /** Lower case, without parameters. */
  readonly mediaType: string;
  readonly location: string | null;
  readonly body: string;
}

/** Null where nothing answers with HTTP. Never rejects; redirects are not followed. */
export function askHttp(
  at: { readonly address: string; readonly port: number; readonly hostname: string },
  signal: AbortSignal,
): Promise<HttpLook | null> {
  return new Promise((resolve) => {
    const asked = request({
      host: at.address,
      port: at.port,
      path: '/',
      agent: false,
      headers: { host: at.hostname, 'user-agent': 'compliance-agent', connection: 'close' },
    });
    const end = (look: HttpLook | null): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      asked.on('error', () => undefined).destroy();
      resolve(look);
    };
    const onAbort = (): void => end(null);
    const timer = setTimeout(onAbort, ANSWER_MS);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) return onAbort();
    asked.once('error', () => end(null));
    asked.once('response', (response) => {
      const look = (body: string): HttpLook => ({
        status: response.statusCode ?? 0,
        mediaType: (response.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '',
        location: response.headers.location ?? null,
        body,
      });
      let body = '';
      response.setEncoding('latin1');
      response.on('data', (chunk: string) => {
        body += chunk;
        if (body.length >= MAX_BODY_BYTES) end(look(body.slice(0, MAX_BODY_BYTES)));
      });
      response.once('end', () => end(look(body)));
      response.once('error', () => end(look(body)));
    });
    asked.end();
  });
}
