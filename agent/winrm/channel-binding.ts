// Channel bindings of type tls-server-end-point (RFC 5929, section 4): they tie an authentication to the certificate that
// this side saw, so that nobody can end TLS in between and pass the tokens on.
import { createHash, type X509Certificate } from 'node:crypto';

const PREFIX = Buffer.from('tls-server-end-point:', 'latin1');

/** Application data of the bindings for a server certificate. */
export function serverEndPoint(certificate: X509Certificate): Buffer {
  const hash = createHash(hashOf(certificate.signatureAlgorithm)).update(certificate.raw).digest();
  return Buffer.concat([PREFIX, hash]);
}

/** SHA-256 unless the certificate is signed with SHA-384 or SHA-512; MD5 and SHA-1 count as SHA-256. */
function hashOf(signatureAlgorithm: string | undefined): 'sha256' | 'sha384' | 'sha512' {
  const found = /sha-?(384|512)/i.exec(signatureAlgorithm ?? '');
  if (found === null) return 'sha256';
  return found[1] === '384' ? 'sha384' : 'sha512';
}

/** MD5 of the gss_channel_bindings_struct with no addresses: MsvAvChannelBindings of NTLM (MS-NLMP 2.2.2.1). */
export function ntlmChannelBindings(applicationData: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(applicationData.length);
  return createHash('md5').update(Buffer.alloc(16)).update(length).update(applicationData).digest();
}
