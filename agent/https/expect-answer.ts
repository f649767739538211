// What an HTTP response must be before its body is looked at. Pure: a response in, its body or an AgentError out.
import { AgentError } from '../errors/agent-error.ts';
import type { HttpsResponse } from './client.ts';
import { parseProblem, retryAfterSeconds } from './problem.ts';

/**
 * The body of a 200 answer with the media type that belongs there. Else `http_refused` (4xx), `http_unavailable` (408, 429,
 * 5xx) with details {status, problem_code, retry_after_s}, or `response_not_expected`: not Central Command at all.
 */
export function expectAnswer(response: HttpsResponse, o: { host: string; mediaType: string }): Buffer {
  const { status } = response;
  const mediaType = mediaTypeOf(response);
  if (looksLikeWebPage(mediaType, response.body)) {
    throw notExpected(o.host, 'a web page answered', status, mediaType);
  }
  if (status === 200) {
    if (mediaType !== o.mediaType) throw notExpected(o.host, `an answer of type ${mediaType} came`, status, mediaType);
    if ((response.headers['content-encoding'] ?? 'identity') !== 'identity') {
      throw notExpected(o.host, 'a compressed answer came although none was asked for', status, mediaType);
    }
    return response.body;
  }
  if (status < 400) throw notExpected(o.host, `status ${status} came`, status, mediaType);
  const problem = mediaType === 'application/problem+json' ? parseProblem(response.body) : null;
  const unavailable = status === 408 || status === 429 || status >= 500;
  // An error page of somebody in between must not pass for Central's own refusal: only a problem document counts as one.
  if (problem === null && !unavailable) {
    throw notExpected(o.host, `status ${status} came without a problem document`, status, mediaType);
  }
  throw new AgentError(
    unavailable ? 'http_unavailable' : 'http_refused',
    `${o.host} answered ${status}${problem === null ? '' : ` ${problem.code}`}`,
    {
      place: o.host,
      details: {
        host: o.host,
        status,
        problem_code: problem?.code ?? null,
        retry_after_s: retryAfterSeconds(response.headers),
        ...(problem?.expectedSeq === undefined ? {} : { expected_seq: problem.expectedSeq }),
        ...(problem?.reason === undefined ? {} : { reason: problem.reason }),
      },
    },
  );
}

function notExpected(host: string, what: string, status: number, mediaType: string): AgentError {
  return new AgentError(
    'response_not_expected',
    `${what} from ${host}; a captive portal, DNS filter or TLS inspection may stand in between`,
    { place: host, details: { host, status, media_type: mediaType } },
  );
}

function mediaTypeOf(response: HttpsResponse): string {
  const type = (response.headers['content-type'] ?? 'none').split(';')[0]!.trim().toLowerCase();
  return /^[a-z0-9.+-]+\/[a-z0-9.+-]+$/.test(type) && type.length <= 80 ? type : 'none';
}

function looksLikeWebPage(mediaType: string, body: Buffer): boolean {
  if (mediaType === 'text/html' || mediaType === 'application/xhtml+xml') return true;
  return /^\s*<(?:!doctype\s+html|html|head|body|script)[\s>]/i.test(body.subarray(0, 256).toString('latin1'));
}
