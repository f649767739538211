// The pinned connection to Central Command of an enrolled appliance.
import { createHttpsClient, type HttpsClient } from '../https/client.ts';
import type { EnrolledIdentity } from '../store/open-store.ts';
import type { DateJudge } from '../https/judged-dates.ts';
import type { DaemonContext } from './context.ts';
import { judgeOfDates } from './judge-of-dates.ts';

/**
 * @param certificatePem shown to the server; null: none is (the way back for a lapsed one)
 * @param dates who judges the dates of the server's certificate
 */
export function centralClient(
  context: Pick<DaemonContext, 'config' | 'keys' | 'state' | 'store' | 'clock'>,
  identity: EnrolledIdentity,
  certificatePem: string | null,
  dates: () => DateJudge = () => judgeOfDates(context),
): HttpsClient {
  const { config, keys } = context;
  return createHttpsClient({
    baseUrl: config.central_url ?? identity.centralUrl,
    caPem: identity.caPem,
    caPins: identity.caPins,
    dates,
    ...(certificatePem === null ? {} : { clientCert: { certPem: certificatePem, keyPem: keys.tlsKeyPem } }),
  });
}
