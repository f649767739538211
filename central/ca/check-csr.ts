import { AgentError } from '../../agent/errors/agent-error.ts';
import { x509 } from './x509.ts';

/**
 * Checks a PKCS#10 request: well-formed, signed by its own key, and that key is `tlsSpki`. Nothing else of the request is
 * used; subject and extensions come from Central Command.
 *
 * @param csr DER in base64
 * @param tlsSpki DER SPKI in base64, as the claim or the binding names it
 * @throws csr_invalid
 */
export async function checkCsr(csr: string, tlsSpki: string): Promise<void> {
  let spki: string;
  let signedByItself: boolean;
  try {
    const request = new x509.Pkcs10CertificateRequest(Buffer.from(csr, 'base64'));
    spki = Buffer.from(request.publicKey.rawData).toString('base64');
    signedByItself = spki === tlsSpki && (await request.verify());
  } catch (cause) {
    throw new AgentError('csr_invalid', 'the certificate request cannot be read', { cause });
  }
  if (spki !== tlsSpki) throw new AgentError('csr_invalid', 'the certificate request is for another key');
  if (!signedByItself) throw new AgentError('csr_invalid', 'the certificate request is not signed by its own key');
}
