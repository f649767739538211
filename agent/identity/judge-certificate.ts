// Is this a certificate for us, by a CA that we pinned? A certificate vouches for itself, so no signed answer has to. Pure.
import { X509Certificate } from 'node:crypto';
import { descendsFromPin } from '../https/pin-check.ts';
import { splitPem } from '../https/pinned-tls.ts';

export interface CertificateExpectation {
  /** DER SPKI in base64 of our TLS key. */
  readonly tlsSpki: string;
  readonly caPem: string;
  readonly caPins: readonly string[];
}

/** What is wrong with a device certificate, in words; null where nothing is. Dates are not looked at. */
export function certificateProblem(pem: string, ours: CertificateExpectation): string | null {
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(pem);
  } catch {
    return 'the certificate cannot be read';
  }
  if (leaf.publicKey.export({ type: 'spki', format: 'der' }).toString('base64') !== ours.tlsSpki) {
    return 'the certificate is for another key';
  }
  if (leaf.ca) return 'the certificate is one of a CA';
  const authorities = splitPem(ours.caPem).map((ca) => new X509Certificate(ca));
  return descendsFromPin(leaf, authorities, new Set(ours.caPins)) ? null : 'no pinned CA issued the certificate';
}

/** As above for a subject CN: null where it is `applianceId`. */
export function subjectProblem(pem: string, applianceId: string): string | null {
  const names = new X509Certificate(pem).subject.split('\n');
  return names.includes(`CN=${applianceId}`) ? null : 'the certificate is for another appliance';
}
