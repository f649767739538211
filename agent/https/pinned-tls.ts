// What a pinned connection trusts: the certificates of ca.pem, of which at least one has a pinned key, and the client's own.
import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { AgentError } from '../errors/agent-error.ts';
import { spkiPin } from './pin-check.ts';

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

/** The single certificates of a PEM bundle. */
export function splitPem(bundle: string): string[] {
  return bundle.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g) ?? [];
}
