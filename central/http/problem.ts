// The one place where an error becomes an HTTP status and a problem document (RFC 9457).
import { AgentError, isAgentError } from '../../agent/errors/agent-error.ts';
import type { ErrorCode } from '../../agent/errors/codes.ts';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly expected_seq?: number;
  readonly seq?: number;
  /** appliance_revoked and appliance_decommissioned only: told to nobody who has not proven to be that appliance. */
  readonly reason?: string;
}

/** Seconds after which a client that is told to wait may come back. */
export const RETRY_AFTER_S = 5;

/** The status of every code that a request can run into; what is not named here is a defect. */
function statusOf(code: ErrorCode): number {
  switch (code) {
    case 'answer_schema_unknown':
    case 'base64_invalid':
    case 'csr_invalid':
    case 'envelope_invalid':
    case 'json_not_strict':
    case 'json_too_deep':
    case 'key_invalid':
    case 'payload_type_mismatch':
    case 'request_malformed':
    case 'schema_invalid':
      return 400;
    case 'client_certificate_invalid':
    case 'client_certificate_lapsed':
    case 'client_certificate_missing':
      return 401;
    case 'appliance_copied':
    case 'appliance_decommissioned':
    case 'appliance_revoked':
    case 'challenge_unknown':
    case 'epoch_unknown':
    case 'identity_mismatch':
    case 'origin_not_bound':
    case 'signature_invalid':
    case 'succession_invalid':
      return 403;
    case 'document_unknown':
    case 'route_unknown':
      return 404;
    case 'method_not_allowed':
      return 405;
    case 'counter_reused':
    case 'epoch_too_soon':
    case 'evidence_conflict':
    case 'ticket_conflict':
      return 409;
    case 'body_too_large':
    case 'json_too_large':
      return 413;
    case 'media_type_unsupported':
      return 415;
    case 'host_unknown':
      return 421;
    case 'evidence_framing':
    case 'evidence_gap':
      return 422;
    case 'rate_limited':
      return 429;
    case 'central_unavailable':
    case 'evidence_damaged':
    case 'evidence_store_clock':
    case 'evidence_store_denied':
    case 'evidence_store_unlocked':
    case 'evidence_store_unreachable':
    case 'evidence_unwritable':
      return 503;
    default:
      return 500;
  }
}

/** What the framework found wrong with a request before a route saw it. */
function translate(error: unknown): AgentError {
  if (isAgentError(error)) return error;
  const native = (error ?? {}) as { code?: unknown; statusCode?: unknown; message?: unknown };
  switch (native.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new AgentError('body_too_large', 'the body is over the limit of this address');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new AgentError('media_type_unsupported', 'this address takes another content type');
  }
  if (typeof native.code === 'string' && native.code.startsWith('SQLITE_')) {
    return new AgentError('central_unavailable', 'the database does not answer now', { cause: error });
  }
  if (typeof native.statusCode === 'number' && native.statusCode >= 400 && native.statusCode < 500) {
    return new AgentError('request_malformed', 'the request is not proper HTTP', { cause: error });
  }
  return new AgentError('internal', 'the server failed', { cause: error });
}

/** The appliance itself is told what a person wrote about it. */
const TELLS_WHY: ReadonlySet<ErrorCode> = new Set(['appliance_revoked', 'appliance_decommissioned']);

export function problemOf(error: unknown): Problem {
  const known = translate(error);
  const status = statusOf(known.code);
  // A defect's own words may hold anything; the log has them.
  const internal = status === 500;
  const { expected_seq: expected, seq, reason } = known.details;
  return {
    type: `urn:compliance-agent:problem:${internal ? 'internal' : known.code}`,
    title: internal ? 'a defect of the server' : known.message,
    status,
    code: internal ? 'internal' : known.code,
    detail: internal ? 'see the log of Central Command' : known.remedy,
    ...(typeof expected === 'number' ? { expected_seq: expected } : {}),
    ...(typeof seq === 'number' ? { seq } : {}),
    ...(TELLS_WHY.has(known.code) && typeof reason === 'string' ? { reason } : {}),
  };
}
