// Server certificates where the wall clock cannot judge their dates. OpenSSL reports one error only, and a wrong date may hide a
// worse one: so chain, purpose, name and pin are all verified here, by hand, and OpenSSL's own verdict must besides name nothing
// but a date. Undici and Node skip the check of the name without `rejectUnauthorized`, which is why nothing is left to them.
import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { checkServerIdentity, connect as tlsConnect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { AgentError } from '../errors/agent-error.ts';
import { descendsFromPin, pathToPin, spkiPin } from './pin-check.ts';
import type { PinnedTls } from './pinned-tls.ts';
import { translateFailure } from './translate-failure.ts';

/** Who says whether a server certificate is in date. */
export type DateJudge =
  | { readonly by: 'wall_clock' }
  /** Signed time, Unix seconds. */
  | { readonly by: 'signed_time'; readonly at: number }
  /** No time is known: nothing but a signed time may be taken from such a connection. */
  | { readonly by: 'nobody' };

export type OtherJudge = Exclude<DateJudge, { by: 'wall_clock' }>;

/** Extended key usage id-kp-serverAuth (RFC 5280, section 4.2.1.12). */
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const DATE_ERRORS: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);

/** Shakes hands whatever the certificate is; {@link serverProblem} has to judge it before anything else is done. */
export function shakeHandsUnjudged(raw: Socket, tls: PinnedTls, o: { servername?: string }): TLSSocket {
  return tlsConnect({
    socket: raw,
    ...o,
    secureContext: tls.context,
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: false,
    // A resumed session would show no certificate to judge.
    session: undefined,
  });
}

/**
 * What is wrong with the server of a finished handshake; null where nothing is.
 *
 * @param chain as the peer sent it, its own certificate first
 */
export function serverProblem(
  socket: Pick<TLSSocket, 'authorized' | 'authorizationError'>,
  peer: PeerCertificate,
  chain: readonly X509Certificate[],
  at: { readonly hostname: string; readonly host: string },
  tls: PinnedTls,
  judge: OtherJudge,
): AgentError | null {
  const fail = (error: unknown): AgentError => translateFailure(error, { host: at.host, phase: 'handshake' });
  const own = (code: 'tls_untrusted' | 'tls_pin_mismatch', sentence: string): AgentError =>
    new AgentError(code, `the certificate of ${at.host} ${sentence}`, { place: at.host, details: { host: at.host } });
  const said = String(socket.authorizationError ?? '');
  if (!socket.authorized && !DATE_ERRORS.has(said)) return fail({ code: said });
  const [leaf, ...others] = chain;
  if (leaf === undefined) return own('tls_untrusted', 'is missing');
  if (leaf.ca || !(leaf.keyUsage ?? []).includes(SERVER_AUTH)) return own('tls_untrusted', 'is not one of a server');
  const candidates = [...others, ...tls.authorities];
  const path = pathToPin(leaf, candidates, tls.pins);
  if (path === null) {
    const isTrusted = descendsFromPin(leaf, candidates, new Set(tls.authorities.map(spkiPin)));
    return isTrusted
      ? own('tls_pin_mismatch', 'chains to a CA whose key is not pinned')
      : own('tls_untrusted', 'is not issued by the CA that this appliance was given');
  }
  const name = checkServerIdentity(at.hostname, peer);
  if (name !== undefined) return fail(name);
  if (judge.by === 'nobody' || path.every((one) => isInDate(one, judge.at))) return null;
  return new AgentError('tls_date_invalid', `the certificate of ${at.host} is out of date by signed time`, {
    place: at.host,
    details: { host: at.host, signed_time: judge.at },
  });
}

const isInDate = ({ validFromDate, validToDate }: X509Certificate, unixS: number): boolean =>
  validFromDate.getTime() <= unixS * 1_000 && unixS * 1_000 < validToDate.getTime();
