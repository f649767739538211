// Opens one TLS 1.3 connection whose chain, name and pin were checked before a byte of the request leaves.
import { connect as tcpConnect, isIP, type LookupFunction, type Socket } from 'node:net';
import { X509Certificate } from 'node:crypto';
import { checkServerIdentity, connect as tlsConnect, createSecureContext, type SecureContext } from 'node:tls';
import type { PeerCertificate, DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { AgentError } from '../errors/agent-error.ts';
import { serverProblem, shakeHandsUnjudged, type DateJudge } from './judged-dates.ts';
import { descendsFromPin, spkiPin } from './pin-check.ts';
import { translateFailure, type Phase } from './translate-failure.ts';

/** Time that one address family gets before the other is tried too (RFC 8305 recommends 250 ms). */
const FAMILY_ATTEMPT_MS = 250;
/** Detects a peer that went away without a word; also keeps NAT entries alive. */
const KEEPALIVE_MS = 60_000;

export interface PinnedTls {
  readonly context: SecureContext;
  readonly authorities: readonly X509Certificate[];
  readonly pins: ReadonlySet<string>;
}

/**
 * Parses ca.pem once. A CA file without any pinned key is refused here: no connection could succeed.
 *
 * @throws tls_pin_mismatch | tls_untrusted (ca.pem unreadable) | key_malformed (certificate and key do not fit)
 */
export function pinnedTls(o: {
  caPem: string;
  caPins: readonly string[];
  clientCert?: { certPem: string; keyPem: string } | undefined;
}): PinnedTls {
  const authorities = readAuthorities(o.caPem);
  const pins = new Set(o.caPins);
  if (!authorities.some((ca) => pins.has(spkiPin(ca)))) {
    throw new AgentError('tls_pin_mismatch', 'no certificate in ca.pem has a pinned key');
  }
  const ca = authorities.map((authority) => authority.toString());
  try {
    const own = o.clientCert === undefined ? {} : { cert: o.clientCert.certPem, key: o.clientCert.keyPem };
    const context = createSecureContext({ ca, minVersion: 'TLSv1.3', ...own });
    return { context, authorities, pins };
  } catch {
    // OpenSSL's own words are left out: they may quote the key.
    throw new AgentError('key_malformed', 'the client certificate and its private key do not belong together');
  }
}

function readAuthorities(caPem: string): X509Certificate[] {
  try {
    return splitPem(caPem).map((pem) => new X509Certificate(pem));
  } catch (cause) {
    throw new AgentError('tls_untrusted', 'a certificate in ca.pem cannot be read', { cause });
  }
}

export interface OpenedConnection {
  /** The TCP socket below TLS: its counters are the bytes on the wire. */
  readonly raw: Socket;
  /** Rejects with an AgentError. */
  readonly secured: Promise<TLSSocket>;
}

/** Starts to connect at once; `onPhase` reports how far it came, for the sentence of a timeout. */
export function openPinned(
  at: { hostname: string; port: number; host: string },
  tls: PinnedTls,
  o: {
    lookup?: LookupFunction | undefined;
    onPhase: (phase: Phase) => void;
    /** Absent: the wall clock. */
    dates?: DateJudge | undefined;
  },
): OpenedConnection {
  let phase: Phase = isIP(at.hostname) === 0 ? 'resolve' : 'connect';
  const enter = (next: Phase): void => {
    phase = next;
    o.onPhase(next);
  };
  enter(phase);
  const raw = tcpConnect({
    host: at.hostname,
    port: at.port,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: FAMILY_ATTEMPT_MS,
    keepAlive: true,
    keepAliveInitialDelay: KEEPALIVE_MS,
    noDelay: true,
    ...(o.lookup === undefined ? {} : { lookup: o.lookup }),
  });
  raw.once('lookup', (error: Error | null) => {
    if (!error) enter('connect');
  });
  const secured = new Promise<TLSSocket>((resolve, reject) => {
    const fail = (error: unknown): void => reject(translateFailure(error, { host: at.host, phase }));
    const closed = (): void => fail(Object.assign(new Error('closed'), { code: 'ECONNRESET' }));
    // Listeners on errors stay: one that came late without any would end the process.
    raw.on('error', fail);
    raw.once('close', closed);
    // TLS is put on top only now: while families are tried the TCP handle below may still be exchanged for another.
    raw.once('connect', () => {
      enter('handshake');
      const judge = o.dates ?? { by: 'wall_clock' };
      const socket = startTls(raw, at, tls, judge);
      socket.on('error', fail);
      socket.once('close', closed);
      socket.once('secureConnect', () => {
        if (judge.by !== 'wall_clock') {
          const peer = socket.getPeerCertificate(true);
          const problem = serverProblem(socket, peer, peerChain(peer), at, tls, judge);
          if (problem !== null) {
            fail(problem);
            socket.destroy();
            return;
          }
        }
        raw.on('error', () => socket.destroy());
        resolve(socket);
      });
    });
  });
  return { raw, secured };
}

function startTls(raw: Socket, at: { hostname: string; host: string }, tls: PinnedTls, judge: DateJudge): TLSSocket {
  const name = isIP(at.hostname) === 0 ? { servername: at.hostname } : {};
  if (judge.by !== 'wall_clock') return shakeHandsUnjudged(raw, tls, name);
  return tlsConnect({
    socket: raw,
    host: at.hostname,
    ...name,
    secureContext: tls.context,
    ALPNProtocols: ['http/1.1'],
    // Said outright, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment changes nothing. No session is ever
    // handed in: Node skips checkServerIdentity on a resumed session.
    rejectUnauthorized: true,
    checkServerIdentity: (hostname, cert) => checkServerIdentity(hostname, cert) ?? pinFailure(at.host, cert, tls),
  });
}

function pinFailure(host: string, cert: PeerCertificate, tls: PinnedTls): Error | undefined {
  const peer = peerChain(cert);
  const [leaf] = peer;
  if (leaf !== undefined && descendsFromPin(leaf, [...peer.slice(1), ...tls.authorities], tls.pins)) return undefined;
  return new AgentError('tls_pin_mismatch', `the certificate of ${host} chains to a CA whose key is not pinned`, {
    place: host,
    details: { host },
  });
}

function peerChain(cert: PeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = [];
  const seen = new Set<string>();
  let at: DetailedPeerCertificate | undefined = cert as DetailedPeerCertificate;
  // A self-signed root names itself as its issuer: an endless list unless watched.
  while (at?.raw !== undefined && !seen.has(at.fingerprint256)) {
    seen.add(at.fingerprint256);
    chain.push(new X509Certificate(at.raw));
    at = at.issuerCertificate;
  }
  return chain;
}

/** The single certificates of a PEM bundle. */
export function splitPem(bundle: string): string[] {
  return bundle.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g) ?? [];
}
