// Field types shared by all signed documents. Integers only, text in NFC, digests lower-case hex (docs/formats/encodings.md).
import * as v from 'valibot';

/** Integer in [min, max]; both inclusive. */
export const int = (min: number, max: number) => v.pipe(v.number(), v.safeInteger(), v.minValue(min), v.maxValue(max));

/** Integer Unix seconds UTC, 2000-01-01 … 2999-12-31. */
export const unixSeconds = int(946_684_800, 32_503_679_999);

/** Non-negative counter or size. */
export const count = int(0, Number.MAX_SAFE_INTEGER);

/** Text in NFC without control characters (LF and TAB included), 1 … max UTF-16 units. */
export const text = (max: number) =>
  v.pipe(
    v.string(),
    v.minLength(1),
    v.maxLength(max),
    v.check((s) => s.isWellFormed() && s.normalize('NFC') === s, 'text must be well-formed NFC'),
    // eslint-disable-next-line no-control-regex
    v.regex(/^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$/u, 'text must not hold control characters'),
  );

/** SHA-256 or other 32-byte digest: 64 lower-case hex digits. */
export const sha256Hex = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits'));

/** 128 random bits: 32 lower-case hex digits. */
export const nonceHex = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, 'must be 32 lower-case hex digits'));

/** Standard base64, padded, canonical. `max` counts characters. */
export const base64 = (max: number) =>
  v.pipe(
    v.string(),
    v.maxLength(max),
    v.check(
      (s) =>
        s.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(s) && Buffer.from(s, 'base64').toString('base64') === s,
      'must be canonical padded base64',
    ),
  );

/** DER SubjectPublicKeyInfo of an Ed25519 key: 44 bytes with the fixed prefix of RFC 8410. */
export const ed25519Spki = v.pipe(
  v.string(),
  v.length(60),
  v.regex(/^MCowBQYDK2VwAyEA[A-Za-z0-9+/]{43}=$/, 'must be the SPKI of an Ed25519 key'),
  v.check((s) => Buffer.from(s, 'base64').toString('base64') === s, 'must be canonical padded base64'),
);

/** DER SubjectPublicKeyInfo of a P-256 key, uncompressed: 91 bytes (RFC 5480). */
export const p256Spki = v.pipe(
  v.string(),
  v.length(124),
  v.regex(/^MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE[A-Za-z0-9+/]{86}==$/, 'must be the SPKI of an uncompressed P-256 key'),
  v.check((s) => Buffer.from(s, 'base64').toString('base64') === s, 'must be canonical padded base64'),
);

/** Partner, customer, site, appliance, person, target: lower-case letters, digits and inner hyphens, ≤ 63. */
export const id = v.pipe(v.string(), v.regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a lower-case id'));

/** Name of a runbook, rule, check, field or code: letters, digits, `_ . -`, ≤ 64. */
export const name = v.pipe(v.string(), v.regex(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/, 'must be a name'));

/** UUID version 7 (RFC 9562), lower case. */
export const uuidv7 = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 'must be a lower-case UUIDv7'),
);

/** Boot id as the kernel prints it (a version 4 UUID). */
export const bootId = v.pipe(v.string(), v.regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'must be a boot id'));

/** Log origin `<domain>/<appliance_id>/<epoch>` (C2SP tlog-checkpoint origin). */
export const origin = v.pipe(
  v.string(),
  v.maxLength(200),
  v.regex(/^[a-z0-9-]+(?:\.[a-z0-9-]+)*\/[a-z0-9-]+\/[1-9][0-9]{0,8}$/, 'must be <domain>/<appliance_id>/<epoch>'),
);

export const domain = v.pipe(
  v.string(),
  v.maxLength(120),
  v.regex(/^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/, 'must be a domain name'),
);

export const version = int(1, 2_000_000_000);
export const epoch = int(1, 999_999_999);
export const semver = v.pipe(v.string(), v.maxLength(40), v.regex(/^[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.-]+)?$/));
export const schemaName = v.pipe(v.string(), v.maxLength(80), v.regex(/^compliance-agent\/[a-z-]+\/v[1-9][0-9]*$/));

/** One or more PEM certificates (RFC 7468), lines of at most 76 characters. Each part of the pattern can match in one way only. */
export const pemCertificates = (max: number) =>
  v.pipe(
    v.string(),
    v.maxLength(max),
    v.regex(
      /^(?:-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/=]{1,76}\n)+-----END CERTIFICATE-----\n?)+$/,
      'must be PEM certificates',
    ),
  );

/** A DSSE envelope embedded in another document; its payload bytes are what its signers signed. */
export const embeddedEnvelope = v.strictObject({
  payload: base64(400_000),
  payloadType: v.pipe(v.string(), v.maxLength(100), v.regex(/^application\/vnd\.[a-z0-9.+-]+$/)),
  signatures: v.pipe(v.array(v.strictObject({ keyid: sha256Hex, sig: base64(200) })), v.minLength(1), v.maxLength(16)),
});
export type EmbeddedEnvelope = v.InferOutput<typeof embeddedEnvelope>;

/** JSON of integers, booleans, null, text, arrays and objects with named fields; depth and size are bounded by strict JSON. */
export type PlainJson = null | boolean | number | string | PlainJson[] | { [key: string]: PlainJson };
const FIELD = /^[A-Za-z_][A-Za-z0-9_.:/-]{0,127}$/;
const NAMED_FIELD = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;
const COUNTED = /^[a-z][a-z0-9_]{0,63}$/;
const MAX_PLAIN_TEXT = 8_192;

/** An object that is no array. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Written out rather than as a union of schemas: that costs fifty times as much, for every value of every entry. */
function isPlainJson(value: unknown): boolean {
  if (value === null || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isSafeInteger(value);
  if (typeof value === 'string') return value.length <= MAX_PLAIN_TEXT;
  if (Array.isArray(value)) return value.every(isPlainJson);
  return isObject(value) && Object.entries(value).every(([key, field]) => FIELD.test(key) && isPlainJson(field));
}

/** An object, never an array: `v.record` alone takes `[]` for `{}`, and two readers could differ. */
export const plainObject = v.custom<{ [key: string]: PlainJson }>(
  (value) =>
    isObject(value) && Object.entries(value).every(([key, field]) => NAMED_FIELD.test(key) && isPlainJson(field)),
  'must be an object of plain JSON with named fields',
);

/** Counts by name; an object, never an array. */
export const namedCounts = v.custom<Record<string, number>>(
  (value) => isObject(value) && Object.entries(value).every(([key, n]) => COUNTED.test(key) && v.is(count, n)),
  'must be an object of counts',
);

export const deploymentMode = v.picklist(['direct', 'reseller']);
export const orderClass = v.picklist(['read', 'routine', 'disruptive']);
export type OrderClass = v.InferOutput<typeof orderClass>;
export const checkResult = v.picklist(['pass', 'fail', 'waived', 'not_applicable', 'unknown']);
export type CheckResult = v.InferOutput<typeof checkResult>;
export const actionOutcome = v.picklist([
  'success',
  'failed',
  'reverted',
  'deferred',
  'alert',
  'rejected',
  'expired',
  'dry_run',
  'needs_approval',
]);
export type ActionOutcome = v.InferOutput<typeof actionOutcome>;
export const severity = v.picklist(['info', 'low', 'medium', 'high', 'critical']);
export type Severity = v.InferOutput<typeof severity>;
