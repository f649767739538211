// Documents of enrolment: the claim of a device, Central's answer, the registrar's binding, succession, lapsed certificates.
import * as v from 'valibot';
import {
  base64,
  count,
  deploymentMode,
  ed25519Spki,
  embeddedEnvelope,
  epoch,
  id,
  int,
  name,
  nonceHex,
  origin,
  p256Spki,
  pemCertificates,
  semver,
  sha256Hex,
  text,
  unixSeconds,
} from './primitives.ts';

/** Signed by the device key that it names. Sent again unchanged in substance (fresh nonce) until it is answered `confirmed`. */
export const claimSchema = v.strictObject({
  schema: v.literal('compliance-agent/claim/v1'),
  source: v.picklist(['usb', 'mac', 'qr']),
  /** One-time enrolment token (usb): 32 bytes, base64. Central keeps only its SHA-256. */
  token: v.optional(base64(64)),
  /** One-time claim code (qr): 128 bits. */
  code: v.optional(nonceHex),
  device_spki: ed25519Spki,
  tls_spki: p256Spki,
  /** PKCS#10 request for the TLS key, DER in base64. */
  csr: base64(4_096),
  hardware: v.strictObject({
    serial: v.nullable(text(64)),
    macs: v.pipe(v.array(v.pipe(v.string(), v.regex(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/))), v.maxLength(16)),
  }),
  agent_version: semver,
  nonce: nonceHex,
  sent_at: unixSeconds,
});
export type Claim = v.InferOutput<typeof claimSchema>;

/** Signed by `timestamp`; answers exactly one claim. */
export const claimAnswerSchema = v.strictObject({
  schema: v.literal('compliance-agent/claim-answer/v1'),
  request_sha256: sha256Hex,
  server_time: unixSeconds,
  expires_at: unixSeconds,
  status: v.picklist(['pending', 'confirmed', 'refused']),
  /** For `refused`: a stable code (docs/errors.md). */
  code: v.optional(name),
  next_claim_s: int(1, 3_600),
  /** For `confirmed` only. */
  enrolled: v.optional(
    v.strictObject({
      appliance_id: id,
      site_id: id,
      certificate: pemCertificates(8_192),
      binding: embeddedEnvelope,
      policy: v.nullable(embeddedEnvelope),
    }),
  ),
});
export type ClaimAnswer = v.InferOutput<typeof claimAnswerSchema>;

/** Signed by `registrar`: this origin belongs to this device key, at this site, confirmed by this person. Content of entry 0. */
export const bindingSchema = v.strictObject({
  schema: v.literal('compliance-agent/binding/v1'),
  partner_id: id,
  customer_id: id,
  site_id: id,
  appliance_id: id,
  deployment_mode: deploymentMode,
  reseller_id: v.optional(id),
  epoch,
  origin,
  device_spki: ed25519Spki,
  tls_spki: p256Spki,
  /** Person id, or `auto-confirm` where the site policy had named the serial. */
  approver: id,
  status: v.picklist(['confirmed', 'provisional']),
  previous: v.nullable(v.strictObject({ origin, size: count, root: sha256Hex })),
  issued_at: unixSeconds,
});
export type Binding = v.InferOutput<typeof bindingSchema>;

/** Signed by the old device key (or, that unreadable, by the TLS key of the current certificate): opens a provisional epoch. */
export const successionSchema = v.strictObject({
  schema: v.literal('compliance-agent/succession/v1'),
  appliance_id: id,
  old_origin: origin,
  new_origin: origin,
  new_device_spki: ed25519Spki,
  signed_with: v.picklist(['device', 'tls']),
  issued_at: unixSeconds,
});
export type Succession = v.InferOutput<typeof successionSchema>;

/** Signed by `operator`, by as many persons as the root asks for: this provisional epoch is what they know of, and counts. */
export const epochConfirmationSchema = v.strictObject({
  schema: v.literal('compliance-agent/epoch-confirmation/v1'),
  partner_id: id,
  site_id: id,
  appliance_id: id,
  /** Of the provisional epoch. */
  origin,
  /** SHA-256 of the payload of the registrar's provisional binding. */
  binding_sha256: sha256Hex,
  issued_at: unixSeconds,
});
export type EpochConfirmation = v.InferOutput<typeof epochConfirmationSchema>;

/** Signed by the device key: asks for a certificate, over mTLS (renewal) or with a server's challenge (lapsed). */
export const certificateRequestSchema = v.strictObject({
  schema: v.literal('compliance-agent/certificate-request/v1'),
  appliance_id: id,
  /** Single-use challenge of the server; null for a renewal over mTLS. */
  challenge: v.nullable(nonceHex),
  csr: base64(4_096),
  csr_sha256: sha256Hex,
  sent_at: unixSeconds,
});
export type CertificateRequest = v.InferOutput<typeof certificateRequestSchema>;
