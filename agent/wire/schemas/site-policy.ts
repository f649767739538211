// Site policy: windows, modes, waivers, outputs. Signed by operators; Central Command cannot change it.
import * as v from 'valibot';
import { id, int, name, sha256Hex, text, unixSeconds, version } from './primitives.ts';

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export const weekday = v.picklist(WEEKDAYS);
export type Weekday = v.InferOutput<typeof weekday>;

/** Wall-clock minute `HH:MM`, 00:00 … 23:59. */
export const minuteOfDay = v.pipe(v.string(), v.regex(/^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/, 'must be HH:MM'));

/** Opens at `start` on each of `days`; an `end` not after `start` lies on the next day. Equal times are refused. */
export const maintenanceWindow = v.pipe(
  v.strictObject({
    days: v.pipe(v.array(weekday), v.minLength(1), v.maxLength(7)),
    start: minuteOfDay,
    end: minuteOfDay,
  }),
  v.check((w) => w.start !== w.end, 'start and end must differ'),
  v.check((w) => new Set(w.days).size === w.days.length, 'a day is named twice'),
);
export type MaintenanceWindow = v.InferOutput<typeof maintenanceWindow>;

export const timeZone = v.pipe(
  v.string(),
  v.maxLength(64),
  v.regex(/^[A-Za-z][A-Za-z0-9_+/-]*$/, 'must be an IANA time zone'),
);

/** A known, accepted deviation. The check still runs; its `fail` reads `waived` until the expiry. */
export const waiver = v.strictObject({
  id,
  check: name,
  /** Target id, or `appliance`. */
  target: id,
  reason: text(400),
  approver: id,
  issued_at: unixSeconds,
  /** At most 90 days after `issued_at`. */
  expires_at: unixSeconds,
});
export type Waiver = v.InferOutput<typeof waiver>;

const mode = v.picklist(['off', 'dry_run', 'on']);
const port = int(1, 65_535);

/** Where a language model is asked, and how the agent proves who it is there. */
const modelEndpoint = {
  host: v.pipe(v.string(), v.maxLength(253), v.regex(/^[A-Za-z0-9.:-]+$/)),
  port,
  model: text(120),
  /** Default `/v1/chat/completions`. */
  path: v.optional(v.pipe(text(300), v.regex(/^\/[!-~]*$/, 'must be a path that begins with /'))),
  /** Name of the systemd credential that holds the key, never the key. */
  credential: v.optional(name),
  /** Header that carries it: `Authorization: Bearer`, which is the default, or `api-key`. */
  auth: v.optional(v.picklist(['bearer', 'api_key'])),
};

export const sitePolicySchema = v.strictObject({
  schema: v.literal('compliance-agent/site-policy/v1'),
  partner_id: id,
  site_id: id,
  version,
  issued_at: unixSeconds,
  time_zone: timeZone,
  windows: v.pipe(v.array(maintenanceWindow), v.maxLength(32)),
  allow_disruptive_outside_window: v.boolean(),
  healing: v.strictObject({
    mode,
    runbooks: v.pipe(v.array(v.strictObject({ id: name, mode })), v.maxLength(256)),
  }),
  /** What WinRM may reach: CIDR prefixes and ports. */
  target_networks: v.pipe(
    v.array(
      v.strictObject({
        prefix: v.pipe(v.string(), v.maxLength(50), v.regex(/^[0-9a-f:.]+\/[0-9]{1,3}$/)),
        ports: v.pipe(v.array(port), v.minLength(1), v.maxLength(8)),
      }),
    ),
    v.maxLength(64),
  ),
  waivers: v.pipe(v.array(waiver), v.maxLength(256)),
  outputs: v.pipe(
    v.array(
      v.strictObject({
        id,
        kind: v.picklist(['syslog', 'webhook', 'smtp', 'slack', 'teams', 'pagerduty', 'central']),
        host: v.pipe(v.string(), v.maxLength(253), v.regex(/^[A-Za-z0-9.:-]+$/)),
        port,
        /** URL path or channel name, where the kind has one. */
        path: v.optional(text(300)),
        /** Name of the systemd credential that holds the secret, never the secret. */
        credential: v.optional(name),
        events: v.pipe(v.array(name), v.maxLength(32)),
      }),
    ),
    v.maxLength(32),
  ),
  llm: v.nullable(
    v.strictObject({
      provider: v.picklist(['local', 'remote', 'hybrid']),
      ...modelEndpoint,
      /** With `hybrid`: asked first; the fields above name the remote one. */
      local: v.optional(v.strictObject(modelEndpoint)),
      /** Business associate agreement; required for anything not local. */
      baa_id: v.optional(text(80)),
      money_per_day_cents: int(0, 1_000_000),
      /** Of the remote one, the dearer of input and output; without it nothing is asked there. */
      cents_per_million_tokens: v.optional(int(0, 10_000_000)),
    }),
  ),
  timestamp_authority: v.nullable(
    v.strictObject({ host: v.pipe(v.string(), v.maxLength(253)), port, path: text(300) }),
  ),
  /** Serial numbers that enrolment confirms by itself. */
  auto_confirm: v.pipe(v.array(text(64)), v.maxLength(1_000)),
  /** Confirmations by people that the policy carries: a baseline, a provisional epoch. */
  confirmations: v.pipe(
    v.array(
      v.strictObject({
        what: name,
        subject_sha256: sha256Hex,
        persons: v.pipe(v.array(id), v.minLength(1), v.maxLength(8)),
      }),
    ),
    v.maxLength(64),
  ),
  retention_years: int(6, 100),
});
export type SitePolicy = v.InferOutput<typeof sitePolicySchema>;
