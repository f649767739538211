// Does a verified server certificate descend from a pinned CA key? Only signatures count: names and key ids prove nothing.
import { createHash, type X509Certificate } from 'node:crypto';

/** A chain longer than this is nobody's honest PKI. */
const MAX_CHAIN = 8;

/** Hex SHA-256 of the DER SubjectPublicKeyInfo (RFC 7469, section 2.4, in hex). */
export function spkiPin(cert: X509Certificate): string {
  return createHash('sha256')
    .update(cert.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/**
 * True when signatures lead from `leaf` to a CA certificate whose key is one of `pins`. `candidates` are the certificates
 * that the peer sent and those of ca.pem. OpenSSL has verified the chain, its dates and the name before; a peer can still
 * send a pinned CA's public certificate along with a chain that does not use it, hence the walk over signatures.
 */
export function descendsFromPin(
  leaf: X509Certificate,
  candidates: readonly X509Certificate[],
  pins: ReadonlySet<string>,
): boolean {
  return pathToPin(leaf, candidates, pins) !== null;
}

/** The certificates of that walk, `leaf` first and the pinned one last; null where none leads there. */
export function pathToPin(
  leaf: X509Certificate,
  candidates: readonly X509Certificate[],
  pins: ReadonlySet<string>,
): readonly X509Certificate[] | null {
  let frontier: X509Certificate[][] = [[leaf]];
  const seen = new Set<string>();
  for (let depth = 0; depth < MAX_CHAIN && frontier.length > 0; depth++) {
    const next: X509Certificate[][] = [];
    for (const path of frontier) {
      const child = path.at(-1) as X509Certificate;
      for (const issuer of candidates) {
        if (!issuer.ca || seen.has(issuer.fingerprint256)) continue;
        if (!child.checkIssued(issuer) || !child.verify(issuer.publicKey)) continue;
        if (pins.has(spkiPin(issuer))) return [...path, issuer];
        seen.add(issuer.fingerprint256);
        next.push([...path, issuer]);
      }
    }
    frontier = next;
  }
  return null;
}
