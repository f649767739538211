// The secret of a target that is logged on to with a client certificate: a private key and its certificate chain in one PEM text
// (docs/formats/targets.md). Read where it is stored, and again right before it is shown. Pure.
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { AgentError } from '../errors/agent-error.ts';

/** id-kp-clientAuth and anyExtendedKeyUsage (RFC 5280, section 4.2.1.12). */
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_USAGE = '2.5.29.37.0';

/** What of the certificate may be told to people. */
export interface ClientCertificate {
  /** Unix milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/**
 * Reads and judges the secret. Nothing of it becomes a string; the key that is taken from it goes with garbage collection.
 *
 * @param pem the key (PKCS #8, PKCS #1 or SEC 1, without a password) and the certificates, the account's own one first
 * @param nowMs Unix milliseconds
 * @throws target_certificate_invalid, target_certificate_purpose, target_certificate_date
 */
export function readClientCertificate(pem: Buffer, nowMs: number): ClientCertificate {
  const certificate = parsed(
    () => new X509Certificate(pem),
    'it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)',
  );
  const key = parsed(
    (): KeyObject => createPrivateKey({ key: pem, format: 'pem' }),
    'it holds no private key in PEM that can be read without a password',
  );
  if (!certificate.checkPrivateKey(key)) {
    throw new AgentError('target_certificate_invalid', 'the key does not belong to the first certificate');
  }
  // Node calls the extended key usage by this name; without the extension any use is allowed.
  const usages = certificate.keyUsage as readonly string[] | undefined;
  if (usages !== undefined && !usages.includes(CLIENT_AUTH) && !usages.includes(ANY_USAGE)) {
    throw new AgentError('target_certificate_purpose', 'the certificate is not for client authentication', {
      details: { usages: usages.slice(0, 8).join(' ') },
    });
  }
  const notBefore = certificate.validFromDate.getTime();
  const notAfter = certificate.validToDate.getTime();
  if (nowMs < notBefore || nowMs > notAfter) {
    const words = nowMs > notAfter ? 'the certificate is expired' : 'the certificate is not valid yet';
    throw new AgentError('target_certificate_date', words, {
      details: { not_before: new Date(notBefore).toISOString(), not_after: new Date(notAfter).toISOString() },
    });
  }
  return { notBefore, notAfter };
}

/** What OpenSSL says of it may hold parts of the text, so it goes no further. */
function parsed<T>(read: () => T, sentence: string): T {
  try {
    return read();
  } catch {
    throw new AgentError('target_certificate_invalid', sentence);
  }
}
