// Opens the one TCP (and TLS) connection of a session. Whoever it leads to has shown the certificate that the target asks
// for before a byte of HTTP leaves.
import { createHash, type X509Certificate } from 'node:crypto';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, TLSSocket, type ConnectionOptions } from 'node:tls';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { ErrorCode } from '../errors/codes.ts';
import { endpointName, type Endpoint, type TlsTrust } from './endpoint.ts';

export interface OpenSocket {
  /** What HTTP is spoken over. */
  readonly socket: Socket;
  /** The TCP connection below it: its counters are what goes over the wire. */
  readonly raw: Socket;
  /** Of the server, null without TLS. */
  readonly certificate: X509Certificate | null;
}

/**
 * Rejects with `winrm_unreachable`, `winrm_name_unresolved`, a code of TLS, or the reason of `signal`.
 *
 * @param clientPem key and chain to show where the host asks for a certificate, whether at once or when it has read a request
 */
export async function openSocket(
  endpoint: Endpoint,
  connectMs: number,
  signal: AbortSignal,
  clientPem: Buffer | null = null,
): Promise<OpenSocket> {
  signal.throwIfAborted();
  const place = endpointName(endpoint);
  const raw = connectTcp({
    host: endpoint.address ?? endpoint.hostname,
    port: endpoint.port,
    noDelay: true,
    keepAlive: true,
  });
  let phase: 'tcp' | 'tls' = 'tcp';
  const give = (reason: unknown): void => void raw.destroy(reason instanceof Error ? reason : new Error('aborted'));
  const timer = setTimeout(() => {
    const words = phase === 'tcp' ? 'no connection' : 'TLS was not set up';
    give(
      new AgentError(phase === 'tcp' ? 'winrm_unreachable' : 'winrm_tls_failed', `${words} within ${connectMs} ms`, {
        place,
      }),
    );
  }, connectMs);
  const onAbort = (): void => give(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await firstOf(raw, 'connect');
    if (endpoint.scheme === 'http') return { socket: raw, raw, certificate: null };
    phase = 'tls';
    const trust = trustOf(endpoint);
    const tls = connectTls({ socket: raw, ...tlsOptions(endpoint, trust), ...showing(clientPem) });
    await firstOf(tls, 'secureConnect', raw);
    return { socket: tls, raw, certificate: checked(tls, trust, place) };
  } catch (error) {
    raw.destroy();
    if (signal.aborted) throw signal.reason;
    const refused = clientPem === null ? null : refusedCertificate(error, place);
    throw refused ?? translated(error, phase, place);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** True where the port completes a TLS handshake; whose certificate it shows does not matter, and nothing is sent. */
export async function speaksTls(endpoint: Endpoint, withinMs: number): Promise<boolean> {
  const raw = connectTcp({ host: endpoint.address ?? endpoint.hostname, port: endpoint.port });
  const timer = setTimeout(() => raw.destroy(), withinMs);
  try {
    await firstOf(connectTls({ socket: raw, rejectUnauthorized: false }), 'secureConnect', raw);
    return true;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    raw.destroy();
  }
}

/** Throws `winrm_trust_missing`. */
export function trustOf(endpoint: Endpoint): TlsTrust {
  const { tls } = endpoint;
  if (tls === undefined || (tls.kind === 'spki' && tls.pins.length === 0)) {
    throw new AgentError('winrm_trust_missing', 'the target does not say what its certificate must show', {
      place: endpointName(endpoint),
    });
  }
  return tls;
}

function tlsOptions({ hostname }: Endpoint, trust: TlsTrust): ConnectionOptions {
  return {
    minVersion: 'TLSv1.2',
    ...(isIP(hostname) === 0 ? { servername: hostname } : {}),
    ...(trust.kind === 'ca' ? { ca: trust.caPem } : {}),
    // With a pinned key neither issuer nor name count; the key is compared before anything is sent.
    ...(trust.kind === 'spki'
      ? { rejectUnauthorized: false }
      : {
          // Said outright, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment changes nothing.
          rejectUnauthorized: true,
          checkServerIdentity: (_, certificate) => checkServerIdentity(hostname, certificate),
        }),
  };
}

/**
 * Windows asks for the certificate only once it has read a request: by renegotiation, which TLS 1.3 does not have and whose
 * substitute there (RFC 8446, section 4.6.2) Node does not offer. OpenSSL takes from the PEM what it is asked for.
 */
const showing = (pem: Buffer | null): ConnectionOptions =>
  pem === null ? {} : { key: pem, cert: pem, maxVersion: 'TLSv1.2' };

/** True where the server has asked for a certificate: only then has it named what signatures of one it takes. */
export function askedForCertificate(socket: Socket): boolean {
  return socket instanceof TLSSocket && socket.getSharedSigalgs().length > 0;
}

/** The alert by which a server refuses the certificate that it was shown (RFC 8446, section 6.2); null for anything else. */
function certificateAlert(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  const found =
    typeof code === 'string'
      ? /_ALERT_((?:BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_(?:REVOKED|EXPIRED|UNKNOWN|REQUIRED)|UNKNOWN_CA|ACCESS_DENIED)$/.exec(
          code,
        )
      : null;
  return found === null ? null : found[1]!.toLowerCase();
}

/** `error` as the host's refusal of the client certificate; null where it is none. */
export function refusedCertificate(error: unknown, place: string): AgentError | null {
  const alert = certificateAlert(error);
  if (alert === null) return null;
  return new AgentError('winrm_client_certificate_untrusted', `the host refused the client certificate (${alert})`, {
    place,
    details: { alert },
    cause: error,
  });
}

function checked(tls: TLSSocket, trust: TlsTrust, place: string): X509Certificate {
  const certificate = tls.getPeerX509Certificate();
  if (certificate === undefined) throw new AgentError('winrm_tls_failed', 'the host shows no certificate', { place });
  if (trust.kind === 'spki') {
    const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
    const shown = createHash('sha256').update(spki).digest('hex');
    if (!trust.pins.includes(shown)) {
      throw new AgentError('winrm_pin_mismatch', 'the host shows another key than the target names', {
        place,
        details: { shown_spki_sha256: shown },
      });
    }
  }
  return certificate;
}

/** Waits for one event of `socket`; an error of it, of `below` or its end comes first as a rejection. */
function firstOf(socket: Socket, event: 'connect' | 'secureConnect', below?: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(new AgentError('winrm_tls_failed', 'the host closed the connection'));
    // The listeners for errors stay: one that comes later must not end the process.
    socket.on('error', reject);
    below?.on('error', reject);
    socket.once('close', ended);
    socket.once(event, () => {
      socket.off('close', ended);
      resolve();
    });
  });
}

const TLS_CODES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: ['winrm_certificate_self_signed', 'the host shows a self-signed certificate'],
  SELF_SIGNED_CERT_IN_CHAIN: ['winrm_ca_unknown', 'the certificate is issued by another CA than the target names'],
  UNABLE_TO_GET_ISSUER_CERT: ['winrm_ca_unknown', 'the certificate is issued by another CA than the target names'],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: [
    'winrm_ca_unknown',
    'the certificate is issued by another CA than the target names',
  ],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [
    'winrm_ca_unknown',
    'the certificate is issued by another CA than the target names',
  ],
  INVALID_PURPOSE: ['winrm_ca_unknown', 'the certificate is not one for a server'],
  CERT_SIGNATURE_FAILURE: ['winrm_ca_unknown', 'the certificate is not signed by the CA that it names'],
  ERR_TLS_CERT_ALTNAME_INVALID: ['winrm_certificate_name', 'the certificate is for another name'],
  CERT_HAS_EXPIRED: ['winrm_certificate_date', 'the certificate is expired'],
  CERT_NOT_YET_VALID: ['winrm_certificate_date', 'the certificate is not valid yet'],
  ERR_SSL_WRONG_VERSION_NUMBER: ['winrm_tls_not_spoken', 'the port does not speak TLS'],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ['winrm_tls_not_spoken', 'the port does not speak TLS'],
};

function translated(error: unknown, phase: 'tcp' | 'tls', place: string): AgentError {
  if (isAgentError(error)) {
    return error.place === undefined ? new AgentError(error.code, error.message, { place, cause: error }) : error;
  }
  const native = nativeCode(error);
  const details = { native };
  const cause = error;
  const known = TLS_CODES[native];
  if (known !== undefined) return new AgentError(known[0], known[1], { place, details, cause });
  if (phase === 'tls') {
    return new AgentError('winrm_tls_failed', `TLS could not be set up (${native})`, { place, details, cause });
  }
  if (/^(?:ENOTFOUND|EAI_|ENODATA|ESERVFAIL|ETIMEOUT$)/.test(native)) {
    return new AgentError('winrm_name_unresolved', `the name does not resolve (${native})`, { place, details, cause });
  }
  const words = native === 'ECONNREFUSED' ? 'the host refused the connection' : `no connection (${native})`;
  return new AgentError('winrm_unreachable', words, { place, details, cause });
}

/** The errno or OpenSSL code; of several addresses that failed, that of the first. */
export function nativeCode(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return nativeCode(error.errors[0]);
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,79}$/.test(code) ? code : 'unknown';
}
