// One try to enrol: a signed claim, a signed answer. Sent again (fresh nonce, same keys, same source)
// until an operator has confirmed; Central Command treats repeats of one device key as one claim.
import { AgentError } from '../errors/agent-error.ts';
import type { HttpsClient } from '../https/client.ts';
import type { Clock, Ids } from '../system/ports.ts';
import type { SignedTime } from '../trust/signed-time.ts';
import type { Claim } from '../wire/schemas/enrolment.ts';
import { fingerprint } from '../wire/fingerprint.ts';
import { readHardware } from './hardware.ts';
import { judgeEnrolment, type Enrolment } from './judge-enrolment.ts';
import type { DeviceKeys } from './keys.ts';
import { makeCsr } from './make-csr.ts';
import type { Provision } from './provision-files.ts';
import { exchangeSigned } from './signed-exchange.ts';

const ENROLMENT_PATH = '/api/v1/enrolments';
const NONCE_BYTES = 16;

export interface EnrolDeps {
  /** Pinned to the provision's CA; no client certificate yet. */
  readonly https: HttpsClient;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly keys: DeviceKeys;
  readonly agentVersion: string;
}

/** What ties the device to a site: a stick's token, what stands on its label, or a claim code. */
export type ClaimSource =
  | { readonly source: 'usb'; readonly token: string }
  | { readonly source: 'mac' }
  | { readonly source: 'qr'; readonly code: string };

export type EnrolResult =
  | { readonly status: 'pending'; readonly sentence: string; readonly retryInS: number }
  | ({ readonly status: 'confirmed' } & Enrolment);

/**
 * Persists nothing: the caller saves identity, root and policy in one unit.
 *
 * @throws enrolment_refused (details.code names why), enrolment_mismatch, answer_…, and all that transport and trust throw
 */
export async function enrolOnce(
  d: EnrolDeps,
  provision: Provision,
  signal: AbortSignal,
  source: ClaimSource,
): Promise<EnrolResult> {
  const { signer } = d.keys;
  const { answer } = await exchangeSigned(
    { ...d, signer, root: provision.root },
    { path: ENROLMENT_PATH, name: 'claim', question: makeClaim(d, source), correlationId: d.ids.uuidv7() },
    signal,
  );
  const { value } = answer;
  switch (value.status) {
    case 'pending':
      return {
        status: 'pending',
        sentence: waitingFor(source, fingerprint(signer.spki, provision.root.digest)),
        retryInS: value.next_claim_s,
      };
    case 'refused':
      throw new AgentError('enrolment_refused', `Central Command refused the enrolment (${value.code ?? 'no code'})`, {
        place: provision.centralUrl,
        details: { code: value.code ?? null, retry_in_s: value.next_claim_s },
      });
    case 'confirmed': {
      if (value.enrolled === undefined) {
        throw new AgentError('enrolment_mismatch', 'the answer says confirmed and carries no enrolment', {
          place: provision.centralUrl,
        });
      }
      const ours = { deviceSpki: signer.spki, tlsSpki: d.keys.tlsSpki };
      return { status: 'confirmed', ...judgeEnrolment(value.enrolled, value.server_time, ours, provision) };
    }
  }
}

/**
 * A claim of which nothing counts but the time of its answer: for a connection whose certificate nobody could judge by date. It
 * carries no secret.
 *
 * @throws as enrolOnce does, but for what is in the answer
 */
export async function exchangeTime(d: EnrolDeps, provision: Provision, signal: AbortSignal): Promise<SignedTime> {
  const { signedTime } = await exchangeSigned(
    { ...d, signer: d.keys.signer, root: provision.root },
    {
      path: ENROLMENT_PATH,
      name: 'claim',
      question: makeClaim(d, { source: 'mac' }),
      correlationId: d.ids.uuidv7(),
    },
    signal,
  );
  return signedTime;
}

/** Whether the device is tied to a site already, Central Command tells nobody who has no token. */
function waitingFor({ source }: ClaimSource, print: string): string {
  if (source === 'usb') return `Waiting for an operator to confirm the fingerprint ${print}.`;
  return `Waiting for people to tie this device to a site (by its serial number, or by the code that "provision status" shows) and to confirm the fingerprint ${print}.`;
}

function makeClaim(d: EnrolDeps, source: ClaimSource): Claim {
  const { signer, tlsKeyPem, tlsSpki } = d.keys;
  return {
    schema: 'compliance-agent/claim/v1',
    ...source,
    device_spki: signer.spki,
    tls_spki: tlsSpki,
    csr: makeCsr(tlsKeyPem, `device ${signer.keyid.slice(0, 32)}`),
    hardware: readHardware(),
    agent_version: d.agentVersion,
    nonce: d.ids.randomBytes(NONCE_BYTES).toString('hex'),
    sent_at: Math.floor(d.clock.wallMs() / 1000),
  };
}
