import type { TLSSocket } from 'node:tls';
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { ClientCertificate } from '../service/identify-client.ts';

const COMMON_NAME = /(?:^|\n)CN=([^\n]+)/;
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

interface Seen extends ClientCertificate {
  /** Unix seconds. */
  readonly notAfter: number;
}

/** Handshakes happen once per connection, requests many times. */
const seen = new WeakMap<TLSSocket, Seen>();

/**
 * The client certificate of a connection. The server asks every client for one and accepts none: this is where it is
 * required, chained to our CA, for client authentication, and still in date (a connection may outlive it).
 *
 * @throws client_certificate_missing, client_certificate_invalid, client_certificate_lapsed
 */
export function clientCertificate(socket: TLSSocket, now: number): ClientCertificate {
  const known = seen.get(socket) ?? read(socket);
  if (known.notAfter <= now) throw lapsed();
  seen.set(socket, known);
  return known;
}

/** Said apart from other faults: it is how an appliance knows that it has to take the way back. */
const lapsed = (): AgentError => new AgentError('client_certificate_lapsed', 'the client certificate is lapsed');

function read(socket: TLSSocket): Seen {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) {
    throw new AgentError('client_certificate_missing', 'this address needs a client certificate');
  }
  if (!socket.authorized) {
    if (String(socket.authorizationError) === 'CERT_HAS_EXPIRED') throw lapsed();
    throw new AgentError('client_certificate_invalid', 'the client certificate is not acceptable', {
      details: { tls_error: String(socket.authorizationError) },
    });
  }
  const applianceId = COMMON_NAME.exec(certificate.subject)?.[1];
  if (applianceId === undefined || !(certificate.keyUsage ?? []).includes(CLIENT_AUTH)) {
    throw new AgentError('client_certificate_invalid', 'the certificate is not one of an appliance');
  }
  return {
    applianceId,
    spki: certificate.publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    notAfter: Math.floor(Date.parse(certificate.validTo) / 1_000),
  };
}
