// A TLS handshake for looking only. The agent's own connections refuse what does not verify, and therefore can name what
// was wrong, but not who stood there. Here any certificate is let through the handshake, to read its issuer; then the
// connection is closed. Not one byte of application data is sent or read, no client certificate is offered, nothing that
// was seen is trusted or kept, and no other part of the agent uses this file. What verifies is decided by the pinned client
// alone (https/pinned-connection.ts), which knows nothing of this one.
import { isIP } from 'node:net';
import { connect, type DetailedPeerCertificate } from 'node:tls';

const HANDSHAKE_MS = 5_000;
/** A chain longer than this is nobody's honest PKI. */
const MAX_CHAIN = 8;

export type CertificateLook =
  | {
      readonly seen: true;
      /** DER, the server's own certificate first. */
      readonly chain: readonly Buffer[];
      /** `TLSv1.3` and so on. */
      readonly protocol: string;
    }
  /** `why`: Node's or OpenSSL's error name, or `timeout`. */
  | { readonly seen: false; readonly why: string };

/** Never rejects. */
export function lookAtCertificate(
  at: { readonly address: string; readonly port: number; readonly hostname: string },
  signal: AbortSignal,
): Promise<CertificateLook> {
  return new Promise((resolve) => {
    const socket = connect({
      host: at.address,
      port: at.port,
      ...(isIP(at.hostname) === 0 ? { servername: at.hostname } : {}),
      ALPNProtocols: ['http/1.1'],
      // Only here, and only to look: see the head of this file.
      rejectUnauthorized: false,
      // A box that intercepts may speak an older version than the agent accepts; its certificate is of interest all the same.
      minVersion: 'TLSv1.2',
    });
    const end = (look: CertificateLook): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.removeAllListeners().on('error', () => undefined);
      socket.destroy();
      resolve(look);
    };
    const onAbort = (): void => end({ seen: false, why: 'timeout' });
    const timer = setTimeout(onAbort, HANDSHAKE_MS);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) return onAbort();
    socket.once('secureConnect', () => {
      const chain = chainOf(socket.getPeerCertificate(true));
      end(
        chain.length === 0
          ? { seen: false, why: 'no_certificate' }
          : { seen: true, chain, protocol: socket.getProtocol() ?? 'unknown' },
      );
    });
    socket.once('error', (error: NodeJS.ErrnoException) => end({ seen: false, why: error.code ?? 'unknown' }));
    socket.once('close', () => end({ seen: false, why: 'ECONNRESET' }));
  });
}

function chainOf(leaf: DetailedPeerCertificate): Buffer[] {
  const chain: Buffer[] = [];
  const known = new Set<string>();
  let at: DetailedPeerCertificate | undefined = leaf;
  // A self-signed certificate names itself as its issuer.
  while (at?.raw !== undefined && !known.has(at.fingerprint256) && chain.length < MAX_CHAIN) {
    known.add(at.fingerprint256);
    chain.push(Buffer.from(at.raw));
    at = at.issuerCertificate;
  }
  return chain;
}
