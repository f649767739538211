// The body of a request as it was before the sender packed it.
import type { IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { AgentError } from '../../agent/errors/agent-error.ts';

/**
 * `body`, unpacked where `content-encoding` says gzip. Never more than `maxBytes` come out, however well they were packed.
 *
 * @throws media_type_unsupported (another encoding) | body_too_large | request_malformed (not gzip)
 */
export function plainBody(headers: IncomingHttpHeaders, body: Buffer, maxBytes: number): Buffer {
  const encoding = headers['content-encoding'];
  if (encoding === undefined) return body;
  if (encoding !== 'gzip') throw new AgentError('media_type_unsupported', 'a body is packed with gzip or not at all');
  try {
    return gunzipSync(body, { maxOutputLength: maxBytes });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new AgentError('body_too_large', `the body unpacks to at most ${maxBytes} bytes`);
    }
    throw new AgentError('request_malformed', 'the body is not gzip', { cause });
  }
}
