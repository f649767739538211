// One place that loads the X.509 library: it needs its metadata polyfill first, and answers in WebCrypto terms.
import 'reflect-metadata';
import { webcrypto, type KeyObject } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto as Parameters<typeof x509.cryptoProvider.set>[0] & typeof webcrypto);

export { x509 };

const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const;
/** How our certificates are signed: ECDSA with P-256 and SHA-256. */
export const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;

/** A P-256 private key for WebCrypto. */
export async function signingKey(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const der = key.export({ type: 'pkcs8', format: 'der' });
  return await webcrypto.subtle.importKey('pkcs8', der, P256, false, ['sign']);
}

/** A P-256 public key for WebCrypto, from its DER SPKI. */
export async function publicKey(spki: Buffer): Promise<webcrypto.CryptoKey> {
  return await webcrypto.subtle.importKey('spki', spki, P256, true, ['verify']);
}

/** 16 random bytes, the first below 0x80 and not zero: a positive serial number without padding (RFC 5280 4.1.2.2). */
export function randomSerial(): string {
  const bytes = Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)));
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
