// One check-in: the request (signed by the device) and the answer (signed by `timestamp`).
import * as v from 'valibot';
import {
  base64,
  bootId,
  checkResult,
  count,
  embeddedEnvelope,
  epoch,
  id,
  int,
  isObject,
  name,
  nonceHex,
  schemaName,
  semver,
  sha256Hex,
  text,
  unixSeconds,
  version,
} from './primitives.ts';
import { endedEpoch } from './entry.ts';
import { orderReport } from './order.ts';

/** A signed note (checkpoint or add-checkpoint body): text with line feeds. */
export const noteText = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(16_384),
  v.check((s) => s.isWellFormed()),
);

export const health = v.strictObject({
  results: v.pipe(v.array(v.strictObject({ check: name, target: id, result: checkResult })), v.maxLength(512)),
  queue: v.strictObject({ entries: count, bytes: count, oldest_at: v.nullable(unixSeconds) }),
  targets: v.pipe(v.array(v.strictObject({ id, state: name })), v.maxLength(256)),
  /** The one reason why the appliance cannot do all its work; absent when there is none. */
  blocking_reason: v.optional(v.strictObject({ code: name, sentence: text(400) })),
  disk: v.strictObject({ free_bytes: count, total_bytes: count }),
  memory: v.strictObject({ rss_bytes: count }),
  clock: v.strictObject({
    source: name,
    synchronized: v.boolean(),
    skew_ms: v.nullable(int(-4_102_444_800_000, 4_102_444_800_000)),
  }),
});
export type Health = v.InferOutput<typeof health>;

export const checkinRequestSchema = v.strictObject({
  schema: v.literal('compliance-agent/checkin-request/v1'),
  accepts: v.pipe(v.array(schemaName), v.minLength(1), v.maxLength(16)),
  appliance_id: id,
  site_id: id,
  epoch,
  /** Rises by at least one with every try within a boot. */
  counter: v.pipe(count, v.minValue(1)),
  nonce: nonceHex,
  sent_at: unixSeconds,
  boot_id: bootId,
  uptime_s: count,
  agent_version: semver,
  nixos_revision: v.nullable(text(80)),
  root_version: version,
  content_version: v.nullable(version),
  policy_version_applied: v.nullable(version),
  revocations_version: v.nullable(version),
  /** Highest order `seq` that was decided on in this epoch; 0 before the first. */
  order_floor: count,
  results: v.pipe(v.array(orderReport), v.maxLength(64)),
  /** Byte-exact body of C2SP tlog-witness add-checkpoint; null when nothing is to be witnessed. */
  witness_request: v.nullable(noteText),
  last_cosigned: v.nullable(noteText),
  /** Absent in a confirmed epoch. While the epoch is `unbound`, its succession is presented; then the answer brings a binding. */
  epoch_state: v.optional(
    v.strictObject({
      status: v.picklist(['unbound', 'provisional']),
      succession: v.optional(embeddedEnvelope),
      ended: v.optional(endedEpoch),
    }),
  ),
  /** Fresh X25519 public key, raw 32 bytes in base64. */
  hpke_public_key: v.pipe(base64(44), v.length(44), v.regex(/[^=]=$/, 'must be 32 bytes')),
  health,
});
export type CheckinRequest = v.InferOutput<typeof checkinRequestSchema>;

export const witnessVerdict = v.variant('verdict', [
  v.strictObject({ verdict: v.literal('cosigned'), cosignature: noteText }),
  v.strictObject({ verdict: v.literal('stale'), latest: noteText }),
  v.strictObject({ verdict: v.literal('refused'), latest: v.nullable(noteText), code: name }),
]);
export type WitnessVerdict = v.InferOutput<typeof witnessVerdict>;

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export const checkinAnswerSchema = v.strictObject({
  schema: v.literal('compliance-agent/checkin-answer/v1'),
  appliance_id: id,
  /** SHA-256 of the payload bytes of the request that this answers. */
  request_sha256: sha256Hex,
  server_time: unixSeconds,
  /** At most 5 minutes after `server_time`. */
  expires_at: unixSeconds,
  root_version: version,
  content: v.nullable(v.strictObject({ version, sha256: sha256Hex })),
  policy: v.nullable(v.strictObject({ version, sha256: sha256Hex })),
  revocations: v.nullable(v.strictObject({ version, sha256: sha256Hex })),
  /** All that an answer may steer. */
  config: v.strictObject({ checkin_interval_s: int(1, 3_600), log_level: v.picklist(LOG_LEVELS) }),
  /**
   * Every outstanding order, oldest first: DSSE envelopes, but not judged here. Order acceptance refuses a malformed one by
   * itself, with evidence, so that it cannot take the rest of the answer with it.
   */
  orders: v.pipe(v.array(v.custom<Record<string, unknown>>(isObject, 'must be an object')), v.maxLength(64)),
  witness: v.nullable(witnessVerdict),
  /** What Central durably holds of this origin. */
  stored: v.strictObject({ size: count, root: sha256Hex }),
  receipts: v.pipe(v.array(embeddedEnvelope), v.maxLength(16)),
  /** The registrar's binding of an epoch that the request calls `unbound`. */
  binding: v.optional(embeddedEnvelope),
  /** The confirmation of an epoch that the request calls `provisional`. */
  confirmation: v.optional(embeddedEnvelope),
  targets: v.optional(v.strictObject({ hpke: base64(400_000) })),
  next_checkin_s: int(1, 3_600),
});
export type CheckinAnswer = v.InferOutput<typeof checkinAnswerSchema>;

/** HPKE plaintext header of `targets` (without the secret bytes that follow it). */
export const targetsSchema = v.strictObject({
  schema: v.literal('compliance-agent/targets/v1'),
  expires_at: unixSeconds,
  targets: v.pipe(
    v.array(
      v.strictObject({
        id,
        hostname: text(253),
        address: text(60),
        port: int(1, 65_535),
        scheme: v.picklist(['http', 'https']),
        auth: v.picklist(['kerberos', 'ntlm', 'certificate', 'basic_tls']),
        principal: text(256),
        domain: v.nullable(text(256)),
        credential_id: id,
        credential_version: version,
        /** Where the secret lies in the bytes after the JSON. */
        secret: v.strictObject({ offset: count, length: int(0, 16_384) }),
        kdc: v.optional(v.pipe(v.array(text(253)), v.maxLength(8))),
        tls: v.variant('trust', [
          v.strictObject({ trust: v.literal('ca'), pem: v.pipe(v.string(), v.maxLength(16_384)) }),
          v.strictObject({ trust: v.literal('spki'), sha256: sha256Hex }),
          v.strictObject({ trust: v.literal('system') }),
        ]),
        identity: v.optional(v.strictObject({ spki: v.optional(sha256Hex), machine_sid: v.optional(text(200)) })),
        role: name,
        os: v.optional(text(80)),
      }),
    ),
    v.maxLength(256),
  ),
});
export type Targets = v.InferOutput<typeof targetsSchema>;

/** Signed by `receipt`: entries of `origin` up to `size` are durably stored. */
export const receiptSchema = v.strictObject({
  schema: v.literal('compliance-agent/receipt/v1'),
  origin: text(200),
  size: count,
  /** RFC 6962 root over the stored lines 0 … size−1. */
  root: sha256Hex,
  stored_at: unixSeconds,
  store: name,
  /** Name of the stored object in `store`. */
  object_id: text(300),
  retain_until: unixSeconds,
  /** Entries of this upload that are stored although they could not be verified. */
  stored_unverified: v.pipe(v.array(v.strictObject({ seq: count, code: name })), v.maxLength(1_000)),
});
export type Receipt = v.InferOutput<typeof receiptSchema>;
