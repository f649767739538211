// Native errors of sockets, TLS and the HTTP parser → codes that name the host, the step and the remedy. Pure.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { ErrorCode } from '../errors/codes.ts';

/** How far a request had come when it failed. */
export type Phase = 'resolve' | 'connect' | 'handshake' | 'request' | 'headers' | 'body';

export interface FailureContext {
  /** Host and port as in the URL. */
  readonly host: string;
  readonly phase: Phase;
}

export const PHASE_WORDS: Record<Phase, string> = {
  resolve: 'while resolving the name',
  connect: 'while connecting',
  handshake: 'in the TLS handshake',
  request: 'after the request was sent, before any answer',
  headers: 'in the head of the answer',
  body: 'in the body of the answer',
};

const BY_NATIVE_CODE: Readonly<Record<string, ErrorCode>> = {
  ENOTFOUND: 'dns_failed',
  EAI_AGAIN: 'dns_failed',
  EAI_FAIL: 'dns_failed',
  EAI_NODATA: 'dns_failed',
  EAI_NONAME: 'dns_failed',
  ETIMEOUT: 'dns_failed',
  ESERVFAIL: 'dns_failed',
  ECONNREFUSED: 'connect_refused',
  ENETUNREACH: 'connect_failed',
  EHOSTUNREACH: 'connect_failed',
  ENETDOWN: 'connect_failed',
  EADDRNOTAVAIL: 'connect_failed',
  ETIMEDOUT: 'connect_failed',
  EACCES: 'connect_failed',
  EPERM: 'connect_failed',
  ERR_TLS_CERT_ALTNAME_INVALID: 'tls_name_mismatch',
  HOSTNAME_MISMATCH: 'tls_name_mismatch',
  CERT_HAS_EXPIRED: 'tls_date_invalid',
  CERT_NOT_YET_VALID: 'tls_date_invalid',
  UNABLE_TO_GET_ISSUER_CERT: 'tls_untrusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'tls_untrusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls_untrusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls_untrusted',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls_untrusted',
  CERT_SIGNATURE_FAILURE: 'tls_untrusted',
  CERT_UNTRUSTED: 'tls_untrusted',
  CERT_REJECTED: 'tls_untrusted',
  INVALID_CA: 'tls_untrusted',
  INVALID_PURPOSE: 'tls_untrusted',
  PATH_LENGTH_EXCEEDED: 'tls_untrusted',
  EPROTO: 'tls_failed',
  UND_ERR_DESTROYED: 'request_aborted',
  UND_ERR_CLOSED: 'request_aborted',
  UND_ERR_HEADERS_OVERFLOW: 'response_too_large',
  HPE_HEADER_OVERFLOW: 'response_too_large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'response_truncated',
  HPE_INVALID_EOF_STATE: 'response_truncated',
};

/** Alerts (RFC 8446, section 6) by which a server says that it does not accept our certificate. */
const CLIENT_REFUSED =
  /ALERT_(?:CERTIFICATE_REQUIRED|UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_EXPIRED|CERTIFICATE_REVOKED|CERTIFICATE_UNKNOWN|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)/;

/** Any failure of one request as an AgentError; what already is one passes through. */
export function translateFailure(error: unknown, context: FailureContext): AgentError {
  if (isAgentError(error)) return error;
  const native = rootCause(error);
  const code = codeFor(native.code, context.phase);
  return new AgentError(code, sentenceFor(code, native.code, context), {
    place: context.host,
    details: { host: context.host, phase: context.phase, native: native.code },
    cause: error,
  });
}

function codeFor(native: string, phase: Phase): ErrorCode {
  const known = BY_NATIVE_CODE[native];
  if (known !== undefined) return known;
  if (CLIENT_REFUSED.test(native)) return 'tls_client_refused';
  if (native.startsWith('ERR_SSL_') || native.startsWith('ERR_TLS_')) return 'tls_failed';
  if (native.startsWith('HPE_')) return 'response_not_expected';
  switch (phase) {
    case 'resolve':
      return 'dns_failed';
    case 'connect':
      return 'connect_failed';
    case 'handshake':
      return 'tls_failed';
    case 'request':
    case 'headers':
    case 'body':
      return 'response_truncated';
  }
}

function sentenceFor(code: ErrorCode, native: string, { host, phase }: FailureContext): string {
  switch (code) {
    case 'dns_failed':
      return `the name of ${host} did not resolve (${native})`;
    case 'connect_refused':
      return `${host} refused the connection`;
    case 'connect_failed':
      return `no connection to ${host} (${native})`;
    case 'tls_untrusted':
      return `the certificate of ${host} is not issued by the CA that this appliance was given (${native})`;
    case 'tls_name_mismatch':
      return `the certificate of ${host} is for another name`;
    case 'tls_date_invalid':
      return `the certificate of ${host} is ${native === 'CERT_HAS_EXPIRED' ? 'expired' : 'not yet valid'} by this machine's clock`;
    case 'tls_client_refused':
      return `${host} refused the certificate of this appliance (${native})`;
    case 'tls_failed':
      return `no TLS 1.3 connection with ${host}: it may speak plain HTTP or an older TLS, or something cuts in between (${native})`;
    case 'request_aborted':
      return `the request to ${host} was given up`;
    case 'response_not_expected':
      return `${host} answered with something that is not HTTP (${native})`;
    case 'response_too_large':
      return `the head of the answer of ${host} is too large`;
    default:
      return `${host} closed the connection ${PHASE_WORDS[phase]} (${native})`;
  }
}

/** Happy eyeballs fail with one error per address: a refused one says least about the way, so another goes first. */
function rootCause(error: unknown): { code: string } {
  if (error instanceof AggregateError && error.errors.length > 0) {
    const all = error.errors.map(rootCause);
    return all.find((e) => e.code !== 'ECONNREFUSED') ?? all[0] ?? { code: 'unknown' };
  }
  if (typeof error === 'object' && error !== null) {
    const code = (error as { code?: unknown }).code;
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,79}$/.test(code)) return { code };
    // undici names most faults of its parser, and some only so.
    if ((error as { name?: unknown }).name === 'HTTPParserError') return { code: 'HPE_INVALID' };
    const cause = (error as { cause?: unknown }).cause;
    if (cause !== undefined && cause !== error) return rootCause(cause);
  }
  return { code: 'unknown' };
}
