import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import type { HttpsResponse } from '../../../agent/https/client.ts';
import { expectAnswer } from '../../../agent/https/expect-answer.ts';
import { MAX_RETRY_AFTER_S, parseProblem, retryAfterSeconds } from '../../../agent/https/problem.ts';
import { translateFailure, type Phase } from '../../../agent/https/translate-failure.ts';
import { expectCode } from '../../support/expect-code.ts';

const MEDIA = 'application/vnd.dsse+json';
const HOST = 'central.example:8443';

function response(
  status: number,
  type: string | null,
  body = '{}',
  headers: Record<string, string> = {},
): HttpsResponse {
  return {
    status,
    headers: { ...(type === null ? {} : { 'content-type': type }), ...headers },
    body: Buffer.from(body),
    bytesSent: 0,
    bytesReceived: 0,
    caPin: '',
  };
}
const judge = (r: HttpsResponse) => expectAnswer(r, { host: HOST, mediaType: MEDIA });

describe('what an HTTP answer must be', () => {
  it('gives the body of a 200 answer of the expected type', () => {
    expect(judge(response(200, `${MEDIA}; charset=utf-8`, 'body')).toString()).toBe('body');
  });

  it.each([
    ['a web page', 200, 'text/html', '<p>hi'],
    ['a web page that claims the right type', 200, MEDIA, '\n<!DOCTYPE html><html>'],
    ['a login page with an error status', 403, 'text/html; charset=utf-8', '<html>'],
    ['a filter page with status 503', 503, 'text/html', '<html>'],
    ['a redirect to a portal', 302, null, ''],
    ['JSON of another kind', 200, 'application/json', '{}'],
    ['an answer without a type', 200, null, '{}'],
    ['no content', 204, null, ''],
    ['a refusal that is no problem document', 403, 'application/json', '{"code":"not_ours"}'],
    ['a problem document that is no JSON', 401, 'application/problem+json', 'nope'],
  ])('takes %s for somebody else than Central Command', (_name, status, type, body) => {
    expectCode(() => judge(response(status, type, body)), 'response_not_expected');
  });

  it('refuses a compressed answer that nobody asked for', () => {
    expectCode(() => judge(response(200, MEDIA, 'x', { 'content-encoding': 'gzip' })), 'response_not_expected');
  });

  it('carries the code of a refusal and what comes with it', () => {
    const body = '{"code":"evidence_gap","expected_seq":17,"title":"x"}';
    const error = expectCode(() => judge(response(422, 'application/problem+json', body)), 'http_refused');
    expect(error.details).toMatchObject({
      status: 422,
      problem_code: 'evidence_gap',
      expected_seq: 17,
      retry_after_s: null,
    });
  });

  it.each([408, 429, 500, 502, 503, 504])(
    'takes status %i for a server that is out of order for the moment',
    (status) => {
      const error = expectCode(
        () => judge(response(status, 'text/plain', '', { 'retry-after': '7' })),
        'http_unavailable',
      );
      expect(error.details).toMatchObject({ status, retry_after_s: 7 });
    },
  );

  it('never lets any status, type and body but the expected one pass', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), fc.string(), fc.string(), (status, type, body) => {
        fc.pre(!(status === 200 && type.startsWith(MEDIA)));
        expect(() => judge(response(status, type, body))).toThrow(AgentError);
      }),
    );
  });
});

describe('problem documents and Retry-After', () => {
  it('reads no code that is not a plain name', () => {
    for (const code of ['"Bad Code"', '5', 'null', '"\\u001b[31m"', `"${'x'.repeat(65)}"`]) {
      expect(parseProblem(Buffer.from(`{"code":${code}}`))).toEqual({ code: 'unnamed' });
    }
  });

  it('ignores an expected_seq that is not a count', () => {
    for (const seq of ['-1', '1.5', '"3"', '1e300']) {
      expect(parseProblem(Buffer.from(`{"code":"evidence_gap","expected_seq":${seq}}`))).toEqual({
        code: 'evidence_gap',
      });
    }
  });

  it('reads nothing from arrays, text, broken JSON or 1 MB', () => {
    for (const body of ['[]', '"x"', 'null', '{', '', ' '.repeat(1_000_000)])
      expect(parseProblem(Buffer.from(body))).toBeNull();
  });

  it('reads seconds and dates, the latter by the Date of the answer and not by our clock', () => {
    const date = 'Wed, 21 Oct 2015 07:28:00 GMT';
    expect(retryAfterSeconds({ 'retry-after': '120' })).toBe(120);
    expect(retryAfterSeconds({ 'retry-after': 'Wed, 21 Oct 2015 07:29:30 GMT', date })).toBe(90);
    expect(retryAfterSeconds({ 'retry-after': 'Wed, 21 Oct 2015 07:20:00 GMT', date })).toBe(0);
    expect(retryAfterSeconds({ 'retry-after': 'Wed, 21 Oct 2015 07:29:30 GMT' })).toBeNull();
    expect(retryAfterSeconds({ 'retry-after': 'soon' })).toBeNull();
    expect(retryAfterSeconds({})).toBeNull();
  });

  it('lets no server ask for a pause of more than an hour', () => {
    fc.assert(
      fc.property(fc.string(), fc.date(), (text, date) => {
        const headers = { 'retry-after': text, date: Number.isNaN(date.getTime()) ? '' : date.toUTCString() };
        const s = retryAfterSeconds(headers);
        expect(s === null || (s >= 0 && s <= MAX_RETRY_AFTER_S)).toBe(true);
      }),
    );
    expect(retryAfterSeconds({ 'retry-after': '999999999' })).toBe(MAX_RETRY_AFTER_S);
  });
});

describe('translating native failures', () => {
  const native = (code: string): Error => Object.assign(new Error('text that must not be quoted'), { code });
  const translate = (error: unknown, phase: Phase = 'handshake') => translateFailure(error, { host: HOST, phase });

  it.each([
    ['ENOTFOUND', 'resolve', 'dns_failed'],
    ['EAI_AGAIN', 'resolve', 'dns_failed'],
    ['ECONNREFUSED', 'connect', 'connect_refused'],
    ['EHOSTUNREACH', 'connect', 'connect_failed'],
    ['EPERM', 'connect', 'connect_failed'],
    ['ECONNRESET', 'connect', 'connect_failed'],
    ['ECONNRESET', 'handshake', 'tls_failed'],
    ['ECONNRESET', 'body', 'response_truncated'],
    ['EPIPE', 'request', 'response_truncated'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'request', 'tls_client_refused'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'request', 'tls_client_refused'],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', 'request', 'tls_client_refused'],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED', 'request', 'tls_client_refused'],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'handshake', 'tls_failed'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'handshake', 'tls_failed'],
    ['HPE_INVALID_CONSTANT', 'headers', 'response_not_expected'],
    ['HPE_INVALID_EOF_STATE', 'body', 'response_truncated'],
    ['UND_ERR_HEADERS_OVERFLOW', 'headers', 'response_too_large'],
  ] as const)('reads %s in phase %s as %s', (code, phase, expected) => {
    const error = translate(native(code), phase);
    expect(error.code).toBe(expected);
    expect(error.message).toContain(HOST);
    expect(error.message).not.toContain('must not be quoted');
  });

  it('reads the failure that says most from those of several addresses', () => {
    const both = new AggregateError([native('ECONNREFUSED'), native('ENETUNREACH')]);
    expect(translate(both, 'connect').code).toBe('connect_failed');
    expect(translate(new AggregateError([native('ECONNREFUSED'), native('ECONNREFUSED')]), 'connect').code).toBe(
      'connect_refused',
    );
  });

  it('turns anything at all into an error with a code, and quotes nothing of it', () => {
    fc.assert(
      fc.property(
        fc.anything(),
        fc.constantFrom<Phase>('resolve', 'connect', 'handshake', 'request', 'headers', 'body'),
        (thing, phase) => {
          expect(translate(thing, phase)).toBeInstanceOf(AgentError);
        },
      ),
    );
  });
});
