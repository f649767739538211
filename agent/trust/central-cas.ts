// The CAs of Central Command that a trust root names (docs/formats/root.md). Pure.
import { X509Certificate } from 'node:crypto';
import { keyidOf } from '../wire/keys.ts';
import type { Root } from '../wire/schemas/root.ts';

export interface CentralCa {
  /** With one LF at its end. */
  readonly pem: string;
  /** Hex SHA-256 of the DER SPKI. */
  readonly pin: string;
}

/** In the order of the root, which was found consistent; none where it names none. */
export function centralCas(root: Pick<Root, 'central_cas'>): CentralCa[] {
  return (root.central_cas ?? []).map((der) => {
    const certificate = new X509Certificate(Buffer.from(der, 'base64'));
    return { pem: `${certificate.toString().trim()}\n`, pin: pinOf(certificate) };
  });
}

/**
 * What is wrong with the CAs of a root, in words; null where nothing is. A certificate that TLS could not begin at would lock out
 * whoever relied on it, and of two with one name a library may try the wrong one. Dates are not looked at: old roots stay
 * readable.
 *
 * @param named DER in base64
 */
export function centralCaProblem(named: readonly string[]): string | null {
  const [names, pins] = [new Set<string>(), new Set<string>()];
  for (const [i, base64] of named.entries()) {
    const found = authority(Buffer.from(base64, 'base64'));
    if (found === null) return `central_cas[${i}] is not the certificate of a CA that signed itself`;
    if (pins.has(found.pin) || names.has(found.name))
      return `central_cas[${i}] has the key or the name of one before it`;
    names.add(found.name);
    pins.add(found.pin);
  }
  return null;
}

function authority(der: Buffer): { name: string; pin: string } | null {
  try {
    const certificate = new X509Certificate(der);
    const isWhole = certificate.raw.equals(der);
    const isRoot = certificate.ca && certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey);
    return isWhole && isRoot ? { name: certificate.subject, pin: pinOf(certificate) } : null;
  } catch {
    // OpenSSL's words for bytes that are no certificate, or for a key of a kind that it does not know.
    return null;
  }
}

const pinOf = ({ publicKey }: X509Certificate): string =>
  keyidOf(publicKey.export({ type: 'spki', format: 'der' }).toString('base64'));
