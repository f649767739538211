// Asks Central Command for the next certificate: over mutual TLS while the old one counts, with a single-use challenge once
// it does not. Both ways the request is signed by the device key, so the TLS key alone gets nobody anything.
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { expectAnswer } from '../https/expect-answer.ts';
import type { HttpsClient } from '../https/client.ts';
import type { EnrolledIdentity } from '../store/open-store.ts';
import type { Clock, Ids } from '../system/ports.ts';
import { signDocument } from '../wire/document.ts';
import { encodeEnvelope } from '../wire/dsse.ts';
import { nonceHex, pemCertificates } from '../wire/schemas/primitives.ts';
import { parseStrict } from '../wire/strict-json.ts';
import { certificateProblem, subjectProblem } from './judge-certificate.ts';
import type { DeviceKeys } from './keys.ts';
import { makeCsr } from './make-csr.ts';
import { validityOf } from './renewal.ts';
import { DSSE_MEDIA_TYPE } from './signed-exchange.ts';

export const CERTIFICATE_PATH = '/api/v1/appliances/certificate';
export const challengePath = (applianceId: string): string => `${CERTIFICATE_PATH}/challenges/${applianceId}`;
export const CERTIFICATE_MEDIA_TYPE = 'application/pem-certificate-chain';
const REQUEST_DEADLINE_MS = 20_000;
/** A device certificate has about 900 bytes in PEM. */
const MAX_CERTIFICATE_BYTES = 8_192;
const MAX_CHALLENGE_BYTES = 1_024;

export interface CertificateDeps {
  readonly https: HttpsClient;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly keys: DeviceKeys;
  /** With the certificate that is held. */
  readonly identity: EnrolledIdentity;
  /** Time T, Unix seconds; null where it is not known. */
  readonly nowT: number | null;
}

const challengeSchema = v.strictObject({ challenge: nonceHex, expires_in_s: v.number() });

/**
 * `d.https` shows the certificate that is held.
 *
 * @returns the new certificate, judged; nothing is persisted
 * @throws certificate_mismatch; what https/client.ts and https/expect-answer.ts name
 */
export async function renewCertificate(d: CertificateDeps, signal: AbortSignal, runId: string): Promise<string> {
  return await request(d, null, signal, runId);
}

/**
 * The way back for a lapsed certificate. `d.https` shows none.
 *
 * @throws as renewCertificate
 */
export async function recoverCertificate(d: CertificateDeps, signal: AbortSignal, runId: string): Promise<string> {
  const { host } = d.https;
  const response = await d.https.request({
    method: 'POST',
    path: challengePath(d.identity.applianceId),
    headers: { accept: 'application/json', 'x-correlation-id': runId },
    deadlineMs: REQUEST_DEADLINE_MS,
    maxResponseBytes: MAX_CHALLENGE_BYTES,
    signal,
  });
  const body = expectAnswer(response, { host, mediaType: 'application/json' });
  return await request(d, readChallenge(body, host), signal, runId);
}

function readChallenge(body: Buffer, host: string): string {
  try {
    const answer = v.safeParse(challengeSchema, parseStrict(body, { maxBytes: MAX_CHALLENGE_BYTES }));
    if (answer.success) return answer.output.challenge;
  } catch (error) {
    if (!isAgentError(error)) throw error;
  }
  throw new AgentError('certificate_mismatch', `${host} sent no challenge`, { place: host });
}

async function request(
  d: CertificateDeps,
  challenge: string | null,
  signal: AbortSignal,
  runId: string,
): Promise<string> {
  const { keys, identity, https } = d;
  const csr = makeCsr(keys.tlsKeyPem, identity.applianceId);
  const envelope = signDocument(
    'certificateRequest',
    {
      schema: 'compliance-agent/certificate-request/v1',
      appliance_id: identity.applianceId,
      challenge,
      csr,
      csr_sha256: createHash('sha256').update(Buffer.from(csr, 'base64')).digest('hex'),
      sent_at: Math.floor(d.clock.wallMs() / 1_000),
    },
    [keys.signer],
  );
  const response = await https.request({
    method: 'POST',
    path: CERTIFICATE_PATH,
    headers: { 'content-type': DSSE_MEDIA_TYPE, accept: CERTIFICATE_MEDIA_TYPE, 'x-correlation-id': runId },
    body: Buffer.from(encodeEnvelope(envelope)),
    deadlineMs: REQUEST_DEADLINE_MS,
    maxResponseBytes: MAX_CERTIFICATE_BYTES,
    signal,
  });
  const pem = expectAnswer(response, { host: https.host, mediaType: CERTIFICATE_MEDIA_TYPE }).toString('utf8');
  const problem = judge(pem, d);
  if (problem !== null) throw new AgentError('certificate_mismatch', problem, { place: https.host });
  return pem;
}

/** Dates: by signed time where there is one; else only newer than what is held, so that no old certificate comes back. */
function judge(pem: string, { keys, identity, nowT }: CertificateDeps): string | null {
  if (!v.is(pemCertificates(MAX_CERTIFICATE_BYTES), pem)) return 'the answer is no certificate in PEM';
  const ours = { tlsSpki: keys.tlsSpki, caPem: identity.caPem, caPins: identity.caPins };
  const problem = certificateProblem(pem, ours) ?? subjectProblem(pem, identity.applianceId);
  if (problem !== null) return problem;
  const next = validityOf(pem);
  const held = validityOf(identity.certificatePem);
  if (next === null) return 'the certificate cannot be read';
  if (held !== null && next.notAfter <= held.notAfter) return 'the certificate ends no later than the one that is held';
  if (nowT !== null && (nowT < next.notBefore || nowT >= next.notAfter))
    return 'the certificate is not in date by signed time';
  return null;
}
