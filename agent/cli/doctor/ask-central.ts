// Asks Central Command for something that changes nothing there: an enrolled appliance for its own trust root, over mutual
// TLS; one that is not enrolled for an address that only tells how it is used. No check-in: that would use a counter and
// fetch orders. The connection is the pinned one of the daemon.
import { X509Certificate } from 'node:crypto';
import { isIP, type LookupFunction } from 'node:net';
import { join } from 'node:path';
import { isAgentError } from '../../errors/agent-error.ts';
import type { ErrorCode } from '../../errors/codes.ts';
import { createHttpsClient } from '../../https/client.ts';
import { expectAnswer } from '../../https/expect-answer.ts';
import { TLS_KEY_FILE } from '../../identity/keys.ts';
import { DSSE_MEDIA_TYPE } from '../../identity/signed-exchange.ts';
import type { EnrolledIdentity, RootRow } from '../../store/trust-documents.ts';
import { readSecretFile } from '../../system/files.ts';
import { maxLineBytes } from '../../wire/document.ts';

const DEADLINE_MS = 6_000;
const MAX_KEY_BYTES = 4_096;
const CLAIM_PATH = '/api/v1/enrolments';

export interface CentralAddress {
  readonly url: string;
  readonly caPem: string;
  readonly caPins: readonly string[];
}

/** Gives the addresses that were found before, so that nothing waits for DNS a second time. */
export function fixedLookup(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIP(address) }));
  return (hostname, options, callback) => {
    const [first] = all;
    if (first === undefined) callback(Object.assign(new Error(hostname), { code: 'ENOTFOUND' }), []);
    else if (options.all === true) callback(null, all);
    else callback(null, first.address, first.family);
  };
}

export interface Credentials {
  readonly identity: EnrolledIdentity;
  readonly root: RootRow;
  readonly stateDir: string;
}

export type CentralLook =
  | { readonly answered: 'own_root' | 'other_root' | 'as_expected' }
  | {
      readonly answered: 'no';
      readonly code: ErrorCode;
      readonly sentence: string;
      readonly remedy: string;
      readonly problemCode: string | null;
    };

/** Never rejects for what the network does. */
export async function askCentral(
  central: CentralAddress,
  addresses: readonly string[],
  credentials: Credentials | null,
  signal: AbortSignal,
): Promise<CentralLook> {
  try {
    const https = createHttpsClient({
      baseUrl: central.url,
      caPem: central.caPem,
      caPins: central.caPins,
      lookup: fixedLookup(addresses),
      ...(credentials === null ? {} : { clientCert: clientCertificate(credentials) }),
    });
    const path = credentials === null ? CLAIM_PATH : `/api/v1/appliances/documents/root/${credentials.root.version}`;
    try {
      const response = await https.request({
        method: 'GET',
        path,
        headers: { accept: DSSE_MEDIA_TYPE },
        deadlineMs: DEADLINE_MS,
        maxResponseBytes: maxLineBytes('root') + 1,
        signal,
      });
      const body = expectAnswer(response, { host: https.host, mediaType: DSSE_MEDIA_TYPE });
      const isOurs = credentials !== null && body.toString('utf8').trimEnd() === credentials.root.line;
      return { answered: isOurs ? 'own_root' : 'other_root' };
    } finally {
      await https.close();
    }
  } catch (error) {
    if (!isAgentError(error)) throw error;
    const problemCode = typeof error.details['problem_code'] === 'string' ? error.details['problem_code'] : null;
    // A GET where only POST is taken: refused by Central Command's own problem document, which nobody else would write.
    if (credentials === null && problemCode === 'method_not_allowed') return { answered: 'as_expected' };
    return { answered: 'no', code: error.code, sentence: error.message, remedy: error.remedy, problemCode };
  }
}

function clientCertificate({ identity, stateDir }: Credentials): { certPem: string; keyPem: string } {
  const path = join(stateDir, 'keys', TLS_KEY_FILE);
  return { certPem: identity.certificatePem, keyPem: readSecretFile(path, MAX_KEY_BYTES).toString('utf8') };
}

/** Until when Central Command takes the appliance's certificate, Unix seconds; null where it cannot be read. */
export function certificateEnd(identity: EnrolledIdentity): number | null {
  try {
    return Math.floor(new X509Certificate(identity.certificatePem).validToDate.getTime() / 1_000);
  } catch {
    return null;
  }
}
