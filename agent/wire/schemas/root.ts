// The trust root of one partner: who may sign what. Signed by the thresholds of its own and of the previous root role.
import * as v from 'valibot';
import { isAgeRecipient } from '../age-recipient.ts';
import { base64, count, domain, ed25519Spki, id, int, sha256Hex, text, unixSeconds, version } from './primitives.ts';

export const ROLES = ['root', 'content', 'registrar', 'operator', 'order', 'timestamp', 'witness', 'receipt'] as const;
export const role = v.picklist(ROLES);
export type Role = v.InferOutput<typeof role>;

const roleKeys = v.strictObject({
  /** Number of distinct persons whose signatures are needed. */
  threshold: int(1, 9),
  keyids: v.pipe(v.array(sha256Hex), v.minLength(1), v.maxLength(32)),
});

export const rootSchema = v.strictObject({
  schema: v.literal('compliance-agent/root/v1'),
  partner_id: id,
  /** First part of every log origin of this partner. */
  log_domain: domain,
  version,
  issued_at: unixSeconds,
  expires_at: unixSeconds,
  persons: v.pipe(
    v.array(v.strictObject({ id, name: text(120), kind: v.picklist(['human', 'service']) })),
    v.minLength(1),
    v.maxLength(64),
  ),
  keys: v.pipe(
    v.array(
      v.strictObject({
        /** SHA-256 of the DER SPKI. */
        keyid: sha256Hex,
        spki: ed25519Spki,
        /** The holder; thresholds count holders, never keys. */
        person: id,
        /** Where present, an order or operator key signs for these sites only. */
        sites: v.optional(v.pipe(v.array(id), v.minLength(1), v.maxLength(1_000))),
      }),
    ),
    v.minLength(1),
    v.maxLength(128),
  ),
  roles: v.strictObject({
    root: roleKeys,
    content: roleKeys,
    registrar: roleKeys,
    operator: roleKeys,
    order: roleKeys,
    timestamp: roleKeys,
    witness: roleKeys,
    receipt: roleKeys,
  }),
  /** C2SP key name under which the witness cosigns. */
  witness_name: v.pipe(v.string(), v.maxLength(120), v.regex(/^[a-z0-9.-]+(?:\/[a-z0-9.-]+)*$/)),
  /** Former witness and receipt keys, so that old evidence stays checkable. */
  past_keys: v.pipe(
    v.array(
      v.strictObject({
        role: v.picklist(['witness', 'receipt']),
        keyid: sha256Hex,
        spki: ed25519Spki,
        valid_from: unixSeconds,
        valid_until: unixSeconds,
        status: v.picklist(['retired', 'compromised']),
      }),
    ),
    v.maxLength(128),
  ),
  /** Certificates (DER) of the CAs that Central Command may be under: the one in use and at least one backup. */
  central_cas: v.optional(v.pipe(v.array(base64(4_096)), v.minLength(2), v.maxLength(4))),
  /** Present where one person alone may authorise; the delay is waited before the act. */
  single_approver: v.optional(v.strictObject({ delay_s: v.pipe(count, v.minValue(3_600)) })),
});
export type Root = v.InferOutput<typeof rootSchema>;

/** Revoked keys and log origins; signed by `content`. Its version strictly rises. */
export const revocationsSchema = v.strictObject({
  schema: v.literal('compliance-agent/revocations/v1'),
  partner_id: id,
  version,
  issued_at: unixSeconds,
  keys: v.pipe(
    v.array(v.strictObject({ keyid: sha256Hex, revoked_at: unixSeconds, reason: text(200) })),
    v.maxLength(1_000),
  ),
  origins: v.pipe(
    v.array(
      v.strictObject({
        origin: text(200),
        /** Entries below this size stay trusted; `root` is the tree's root at that size. */
        trust_until_size: count,
        root: sha256Hex,
        revoked_at: unixSeconds,
      }),
    ),
    v.maxLength(1_000),
  ),
});
export type Revocations = v.InferOutput<typeof revocationsSchema>;

/** What a partner's installer carries: where Central Command is and how to recognise it. Signed by `root`. */
export const partnerSchema = v.strictObject({
  schema: v.literal('compliance-agent/partner/v1'),
  partner_id: id,
  version,
  issued_at: unixSeconds,
  central_url: v.pipe(v.string(), v.maxLength(300), v.regex(/^https:\/\/[^\s/?#@]+$/)),
  /** SHA-256 of the DER SPKI of each acceptable CA, the one in use first, at least one backup. */
  ca_pins: v.pipe(v.array(sha256Hex), v.minLength(2), v.maxLength(4)),
  root_sha256: sha256Hex,
  /** age/X25519 recipients (bech32 `age1…`) that disk recovery keys are sealed to. */
  recovery_recipients: v.pipe(
    v.array(v.pipe(v.string(), v.check(isAgeRecipient, 'must be an age recipient (age1…)'))),
    v.minLength(1),
    v.maxLength(8),
  ),
  branding: v.strictObject({ product: text(60), support: text(120) }),
  /** Where claim codes lead people; `central_url`/claim where it is absent. */
  claim_url: v.optional(v.pipe(v.string(), v.maxLength(200), v.regex(/^https:\/\/[^\s#@"\\]+$/))),
  install: v.optional(
    v.strictObject({
      /** Serial number or kernel name of the disk, where a machine has more than one. */
      disk: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be a kernel name or serial number'))),
      /** Also over a finished install, once per stick. */
      reinstall: v.optional(v.literal('yes')),
    }),
  ),
});
export type Partner = v.InferOutput<typeof partnerSchema>;
