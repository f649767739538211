// Opens one TLS 1.3 connection whose chain, name and pin were checked before a byte of the request leaves.
import { connect as tcpConnect, isIP, type LookupFunction, type Socket } from 'node:net';
import { X509Certificate } from 'node:crypto';
import { checkServerIdentity, connect as tlsConnect } from 'node:tls';
import type { PeerCertificate, DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { AgentError } from '../errors/agent-error.ts';
import { serverProblem, shakeHandsUnjudged, type DateJudge } from './judged-dates.ts';
import { pathToPin, spkiPin } from './pin-check.ts';
import type { PinnedTls } from './pinned-tls.ts';
import { sinkholeKind } from './sinkhole.ts';
import { translateFailure, type Phase } from './translate-failure.ts';

/** Time that one address family gets before the other is tried too (RFC 8305 recommends 250 ms). */
const FAMILY_ATTEMPT_MS = 250;
/** Detects a peer that went away without a word; also keeps NAT entries alive. */
const KEEPALIVE_MS = 60_000;

export interface OpenedConnection {
  /** The TCP socket below TLS: its counters are the bytes on the wire. */
  readonly raw: Socket;
  /** Rejects with an AgentError. */
  readonly secured: Promise<SecuredConnection>;
}

export interface SecuredConnection {
  readonly socket: TLSSocket;
  /** Of the pinned CA that the server's certificate descends from. */
  readonly caPin: string;
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
  const addresses: string[] = [];
  raw.on('lookup', (error: Error | null, address: string) => {
    if (error !== null) return;
    addresses.push(address);
    enter('connect');
  });
  const secured = new Promise<SecuredConnection>((resolve, reject) => {
    // A connection that succeeds says more than its address; one that fails at such an address never had a chance.
    const fail = (error: unknown): void =>
      reject(filteredBy(addresses, at) ?? translateFailure(error, { host: at.host, phase }));
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
        const peer = socket.getPeerCertificate(true);
        const chain = peerChain(peer);
        const problem = judge.by === 'wall_clock' ? null : serverProblem(socket, peer, chain, at, tls, judge);
        const caPin = pinUsed(chain, tls);
        if (problem !== null || caPin === null) {
          fail(problem ?? notPinned(at.host));
          socket.destroy();
          return;
        }
        raw.on('error', () => socket.destroy());
        resolve({ socket, caPin });
      });
    });
  });
  return { raw, secured };
}

/** Null unless every address that DNS gave for the name is one of a filter. */
function filteredBy(addresses: readonly string[], at: { hostname: string; host: string }): AgentError | null {
  const kinds = addresses.map((address) => sinkholeKind(address, at.hostname));
  const [kind] = kinds;
  if (kind === undefined || kinds.includes(null)) return null;
  const sentence = `DNS answers ${addresses.join(', ')} for ${at.hostname}: ${kind ?? ''}`;
  return new AgentError('dns_filtered', sentence, { place: at.host, details: { host: at.host, phase: 'resolve' } });
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
  return pinUsed(peerChain(cert), tls) === null ? notPinned(host) : undefined;
}

function notPinned(host: string): AgentError {
  return new AgentError('tls_pin_mismatch', `the certificate of ${host} chains to a CA whose key is not pinned`, {
    place: host,
    details: { host },
  });
}

/** Null where no pinned CA stands behind the chain. */
function pinUsed([leaf, ...others]: readonly X509Certificate[], tls: PinnedTls): string | null {
  const path = leaf === undefined ? null : pathToPin(leaf, [...others, ...tls.authorities], tls.pins);
  const authority = path?.at(-1);
  return authority === undefined ? null : spkiPin(authority);
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
