// Enrolment: a device proves its key, a token names its site, a person confirms its fingerprint; then it gets a certificate
// and a binding. Nothing here trusts what the device says about itself beyond its keys.
import { AgentError, isAgentError } from '../../agent/errors/agent-error.ts';
import type { ErrorCode } from '../../agent/errors/codes.ts';
import { maxLineBytes, parseDocument, payloadDigest } from '../../agent/wire/document.ts';
import { encodeEnvelope, pae, parseEnvelope, toEmbedded } from '../../agent/wire/dsse.ts';
import { fingerprint } from '../../agent/wire/fingerprint.ts';
import { DOCUMENTS } from '../../agent/wire/schemas/payload-types.ts';
import type { Claim, ClaimAnswer } from '../../agent/wire/schemas/enrolment.ts';
import { verifyStrict } from '../../agent/trust/verify-signature.ts';
import { checkCsr } from '../ca/check-csr.ts';
import type { EnrolmentRow } from '../store/enrolment-table.ts';
import { bindingFor } from './bind-appliance.ts';
import type { Central } from './central.ts';
import { certificateFor } from './device-certificate.ts';
import { confirmDevice } from './confirm-appliance.ts';
import { tokenDigest } from './enrolment-token.ts';
import { refuseRevoked } from './identify-client.ts';
import { registerWithoutToken } from './claim-source.ts';
import { signOwn } from './sign-own.ts';

/** An answer to a claim is good for this long. */
const ANSWER_LIFE_S = 300;

/**
 * Answers one claim: a signed answer line, also for refusals, as long as the claim proves its device key.
 *
 * @throws signature_invalid and the errors of parseEnvelope and parseDocument for bodies that prove nothing
 */
export async function enrol(central: Central, body: Uint8Array): Promise<string> {
  const { claim, digest } = openClaim(body);
  let outcome: Pick<ClaimAnswer, 'status' | 'code' | 'enrolled'>;
  try {
    outcome = await decide(central, claim);
  } catch (error) {
    if (!isAgentError(error) || !REFUSALS.has(error.code)) throw error;
    outcome = { status: 'refused', code: error.code };
  }
  const now = central.now();
  const answer = signOwn(
    'claimAnswer',
    {
      schema: 'compliance-agent/claim-answer/v1',
      request_sha256: digest,
      server_time: now,
      expires_at: now + ANSWER_LIFE_S,
      status: outcome.status,
      ...(outcome.code === undefined ? {} : { code: outcome.code }),
      next_claim_s: central.intervals.claimS,
      ...(outcome.enrolled === undefined ? {} : { enrolled: outcome.enrolled }),
    },
    central.keys.timestamp,
  );
  return encodeEnvelope(answer);
}

/** What a device is told in a signed answer, rather than by a problem document. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'appliance_decommissioned',
  'appliance_replaced',
  'appliance_revoked',
  'csr_invalid',
  'enrolment_key_changed',
  'enrolment_other_site',
  'enrolment_source_unsupported',
  'enrolment_token_expired',
  'enrolment_token_unknown',
  'enrolment_token_used',
]);

/** A claim names the key that signs it, so it is parsed first; nothing is done before the signature holds. */
function openClaim(body: Uint8Array): { claim: Claim; digest: string } {
  const envelope = parseEnvelope(body, { maxBytes: maxLineBytes('claim') });
  if (envelope.payloadType !== DOCUMENTS.claim.payloadType) {
    throw new AgentError('payload_type_mismatch', 'the body is not a claim');
  }
  const claim = parseDocument('claim', envelope.payload);
  const [signature, ...others] = envelope.signatures;
  const data = pae(envelope.payloadType, envelope.payload);
  if (signature === undefined || others.length > 0 || !verifyStrict(claim.device_spki, data, signature.sig)) {
    throw new AgentError('signature_invalid', 'the claim is not signed by the device key that it names');
  }
  return { claim, digest: payloadDigest(envelope) };
}

async function decide(central: Central, claim: Claim): Promise<Pick<ClaimAnswer, 'status' | 'enrolled'>> {
  const { source, token, code } = claim;
  if ((source === 'usb') !== (token !== undefined) || (source === 'qr') !== (code !== undefined)) {
    throw new AgentError('enrolment_source_unsupported', 'the claim lacks what its source needs, or carries more');
  }
  await checkCsr(claim.csr, claim.tls_spki);
  const row = token === undefined ? registerWithoutToken(central, claim) : register(central, claim, token);
  if (row === null || row.state === 'pending') return { status: 'pending' };
  if (row.tls_spki !== claim.tls_spki) {
    throw new AgentError('enrolment_key_changed', 'the device is enrolled with another TLS key');
  }
  const binding = bindingFor(central, row);
  refuseRevoked(central, binding.appliance_id);
  const policy = central.trust.policy(binding.site_id);
  return {
    status: 'confirmed',
    enrolled: {
      appliance_id: binding.appliance_id,
      site_id: binding.site_id,
      certificate: await certificateFor(central, binding),
      binding: toEmbedded(parseEnvelope(binding.line, { maxBytes: maxLineBytes('binding') })),
      policy: policy === null ? null : toEmbedded(parseEnvelope(policy.line, { maxBytes: maxLineBytes('sitePolicy') })),
    },
  };
}

/** Takes the token and the claim in one transaction: two devices cannot both be the first. */
function register(central: Central, claim: Claim, token: string): EnrolmentRow {
  const now = central.now();
  const sha256 = tokenDigest(token);
  const used = central.store.unit(() => {
    const { enrolments } = central.store;
    const row = enrolments.token(sha256);
    if (row === null) throw new AgentError('enrolment_token_unknown', 'this token was never given out');
    if (row.device_spki !== null && row.device_spki !== claim.device_spki) return row.site_id;
    if (row.device_spki === null && row.expires_at <= now) {
      throw new AgentError('enrolment_token_expired', 'the token is past its date');
    }
    const known = enrolments.byDevice(claim.device_spki);
    if (known?.state === 'replaced') {
      throw new AgentError('appliance_replaced', 'another machine was enrolled in the place of this one');
    }
    // A device stays at the site of its first token. Thrown within the transaction: the token stays unused.
    if (known !== null && known.site_id !== row.site_id) {
      throw new AgentError('enrolment_other_site', `the device is known at ${known.site_id} already`);
    }
    enrolments.useToken(sha256, claim.device_spki);
    if (known?.state === 'confirmed') return null;
    enrolments.claim(
      {
        device_spki: claim.device_spki,
        site_id: row.site_id,
        tls_spki: claim.tls_spki,
        csr: claim.csr,
        fingerprint: fingerprint(claim.device_spki, central.trust.root().digest),
        serial: claim.hardware.serial,
        agent_version: claim.agent_version,
      },
      now,
    );
    const device = enrolments.byDevice(claim.device_spki) as EnrolmentRow;
    const policy = central.trust.policy(device.site_id)?.value;
    if (claim.hardware.serial !== null && policy?.auto_confirm.includes(claim.hardware.serial) === true) {
      confirmDevice(central, device, { approver: 'auto-confirm' });
    }
    return null;
  });
  if (used !== null) {
    // One alarm per token, however many devices try it.
    central.store.alarms.raise('enrolment_token_used', used, `token with SHA-256 ${sha256}`, now);
    throw new AgentError('enrolment_token_used', 'another device has used the token');
  }
  return central.store.enrolments.byDevice(claim.device_spki) as EnrolmentRow;
}
