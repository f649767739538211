// The pinned connection to Central Command of an enrolled appliance.
import { createHttpsClient, type HttpsClient } from '../https/client.ts';
import type { EnrolledIdentity } from '../store/open-store.ts';
import type { DaemonContext } from './context.ts';

/** @param certificatePem shown to the server; null: none is (the way back for a lapsed one) */
export function centralClient(
  { config, keys }: Pick<DaemonContext, 'config' | 'keys'>,
  identity: EnrolledIdentity,
  certificatePem: string | null,
): HttpsClient {
  return createHttpsClient({
    baseUrl: config.central_url ?? identity.centralUrl,
    caPem: identity.caPem,
    caPins: identity.caPins,
    ...(certificatePem === null ? {} : { clientCert: { certPem: certificatePem, keyPem: keys.tlsKeyPem } }),
  });
}
