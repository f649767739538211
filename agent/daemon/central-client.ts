// The pinned connection to Central Command of an enrolled appliance.
import { createHttpsClient, type HttpsClient } from '../https/client.ts';
import { acceptedCas } from '../identity/central-cas.ts';
import type { EnrolledIdentity } from '../store/open-store.ts';
import type { DateJudge } from '../https/judged-dates.ts';
import type { Root } from '../wire/schemas/root.ts';
import type { DaemonContext } from './context.ts';
import { judgeOfDates } from './judge-of-dates.ts';

/**
 * @param root the one in force: it may name CAs beside those that are held
 * @param certificatePem shown to the server; null: none is (the way back for a lapsed one)
 * @param dates who judges the dates of the server's certificate
 */
export function centralClient(
  context: Pick<DaemonContext, 'config' | 'keys' | 'state' | 'store' | 'clock'>,
  identity: EnrolledIdentity,
  root: Root,
  certificatePem: string | null,
  dates: () => DateJudge = () => judgeOfDates(context),
): HttpsClient {
  const { config, keys } = context;
  return createHttpsClient({
    baseUrl: config.central_url ?? identity.centralUrl,
    ...acceptedCas(identity, root),
    dates,
    ...(certificatePem === null ? {} : { clientCert: { certPem: certificatePem, keyPem: keys.tlsKeyPem } }),
  });
}
