// Every key of the configuration file: what it accepts, its default, what it means. docs/configuration.md is held against it.
import { isAbsolute, normalize } from 'node:path';
import * as v from 'valibot';
import { LOG_LEVELS } from '../wire/schemas/checkin.ts';
import { deploymentMode, id, sha256Hex } from '../wire/schemas/primitives.ts';
import { minuteOfDay, weekday, WEEKDAYS, type Weekday } from '../wire/schemas/site-policy.ts';
import { parseHostPort } from './host-port.ts';

/** A window that counts until the first signed site policy replaces it. An `end` not after `start` lies on the next day. */
export interface LocalWindow {
  readonly time_zone: string;
  readonly days: readonly Weekday[];
  readonly start: string;
  readonly end: string;
}

/** Effective configuration: names and units are those of the file. */
export interface Config {
  readonly mode: 'direct' | 'reseller';
  readonly reseller_id: string | null;
  readonly central_url: string | null;
  readonly state_dir: string;
  readonly provision_dir: string;
  readonly root_sha256: string | null;
  readonly poll_interval_s: number;
  readonly checks_interval_s: number | null;
  readonly upload_interval_s: number;
  readonly heartbeat_interval_s: number;
  readonly order_ttl_s: number;
  readonly healing_mode: (typeof HEALING_MODES)[number];
  readonly allowed_hosts: readonly string[];
  readonly root_hosts: readonly string[];
  readonly egress_refresh_s: number;
  readonly baseline_path: string | null;
  readonly evidence_retention: number;
  readonly prune_retention_days: number;
  readonly evidence_cap_mib: number;
  readonly ntp_max_skew_ms: number;
  readonly memory_limit_mib: number;
  readonly timestamp_url: string | null;
  readonly timestamp_ca_path: string | null;
  readonly log_level: (typeof LOG_LEVELS)[number];
  readonly maintenance_window: LocalWindow | null;
}
export type ConfigKey = keyof Config;

/** From the strictest on. */
export const HEALING_MODES = ['off', 'dry_run', 'on'] as const;

export interface KeyInfo {
  readonly schema: v.GenericSchema<unknown>;
  readonly default: unknown;
  /** Ends the sentence "`key` must be …". */
  readonly accepts: string;
  /** One line for docs/configuration.md. */
  readonly meaning: string;
}

const MAX_PATH_CHARS = 4_096;
const MAX_HOSTS = 64;

/** Issue messages that the parser turns into codes of their own. */
export const RELATIVE_PATH = 'relative path';
export const UNKNOWN_TIME_ZONE = 'unknown time zone';

const whole = (min: number, max: number) => v.pipe(v.number(), v.safeInteger(), v.minValue(min), v.maxValue(max));
const wholeText = (min: number, max: number, unit: string): string => `a whole number of ${unit} from ${min} to ${max}`;

const path = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(MAX_PATH_CHARS),
  v.check((p) => isAbsolute(p), RELATIVE_PATH),
  v.check((p) => !p.includes('\0') && !p.split('/').includes('..') && normalize(p).length > 1),
);

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && url.protocol === 'https:' && url.hostname !== '' && text.replace(/\/$/, '') === url.origin;
}

function isTimestampUrl(text: string): boolean {
  const url = URL.parse(text);
  const isWeb = url?.protocol === 'http:' || url?.protocol === 'https:';
  return (
    url !== null && isWeb && url.hostname !== '' && `${url.username}${url.password}${url.search}${url.hash}` === ''
  );
}

/** Names or addresses, each with a port or without. */
const hosts = v.pipe(
  v.array(
    v.pipe(
      v.string(),
      v.maxLength(300),
      v.check((text) => parseHostPort(text) !== null),
    ),
  ),
  v.maxLength(MAX_HOSTS),
);
const HOSTS_TEXT = `a list of at most ${MAX_HOSTS} of \`host\`, \`host:port\` or \`[IPv6]:port\`, without paths or wildcards`;

/** What the fields of `maintenance_window` accept. All four are required. */
export const WINDOW_FIELDS = {
  time_zone: {
    schema: v.pipe(v.string(), v.regex(/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/), v.check(isTimeZone, UNKNOWN_TIME_ZONE)),
    accepts: 'an IANA time zone such as Europe/Vienna',
  },
  days: {
    schema: v.pipe(
      v.array(weekday),
      v.minLength(1),
      v.check((days) => new Set(days).size === days.length),
    ),
    accepts: `a list of different days out of ${WEEKDAYS.join(', ')}`,
  },
  start: { schema: minuteOfDay, accepts: 'a time HH:MM from 00:00 to 23:59' },
  end: { schema: minuteOfDay, accepts: 'a time HH:MM from 00:00 to 23:59' },
} as const;

export const KEYS: Readonly<Record<ConfigKey, KeyInfo>> = {
  mode: {
    schema: deploymentMode,
    default: 'reseller',
    accepts: '`direct` or `reseller`',
    meaning: 'Who runs Central Command: the owner of the site (`direct`) or a partner for many customers (`reseller`).',
  },
  reseller_id: {
    schema: v.nullable(id),
    default: null,
    accepts: 'lower-case letters, digits and inner hyphens, at most 63',
    meaning: 'The partner. Required in `reseller` mode; stands in every evidence entry and check-in.',
  },
  central_url: {
    schema: v.nullable(v.pipe(v.string(), v.maxLength(300), v.check(isOrigin))),
    default: null,
    accepts: '`https://host` or `https://host:port`, with no path, user or query',
    meaning: 'Central Command. When absent, the address from the provisioning files is used.',
  },
  state_dir: {
    schema: path,
    default: '/var/lib/compliance-agent',
    accepts: 'an absolute path without `..`',
    meaning: 'Database, keys, status file and control files. Must lie on a disk that survives a reboot.',
  },
  provision_dir: {
    schema: path,
    default: '/var/lib/compliance-agent/provision',
    accepts: 'an absolute path without `..`',
    meaning: 'Where the agent looks for `clinic.yaml`, `root.json` and `ca.pem` until it is enrolled.',
  },
  root_sha256: {
    schema: v.nullable(sha256Hex),
    default: null,
    accepts: 'the digest of a trust root, 64 lower-case hex digits in quotes',
    meaning:
      'Trust root that the privileged helpers begin with, as the partner publishes it. Without it they refuse to work.',
  },
  poll_interval_s: {
    schema: whole(1, 3_600),
    default: 60,
    accepts: wholeText(1, 3_600, 'seconds'),
    meaning: 'Time between check-ins, spread by ±10 %. A signed answer may steer it.',
  },
  checks_interval_s: {
    schema: v.nullable(whole(1, 86_400)),
    default: null,
    accepts: wholeText(1, 86_400, 'seconds'),
    meaning: 'When set, every check runs at this interval instead of its own.',
  },
  upload_interval_s: {
    schema: whole(1, 86_400),
    default: 60,
    accepts: wholeText(1, 86_400, 'seconds'),
    meaning: 'Time between uploads of evidence that is not stored at Central Command yet.',
  },
  heartbeat_interval_s: {
    schema: whole(1, 86_400),
    default: 3_600,
    accepts: wholeText(1, 86_400, 'seconds'),
    meaning: 'Time between entries that say that findings are unchanged.',
  },
  order_ttl_s: {
    schema: whole(60, 900),
    default: 900,
    accepts: wholeText(60, 900, 'seconds'),
    meaning: 'Upper bound for the lifetime of an order; longer-lived orders are refused.',
  },
  healing_mode: {
    schema: v.picklist(HEALING_MODES),
    default: 'on',
    accepts: HEALING_MODES.map((mode) => `\`${mode}\``).join(', '),
    meaning:
      'The most that unattended healing may do here, whatever site policy allows; without a policy it does nothing in any case.',
  },
  allowed_hosts: {
    schema: hosts,
    default: [],
    accepts: HOSTS_TEXT,
    meaning:
      'Hosts besides Central Command that the egress table lets the agent reach, over TCP, at port 443 where none is named.',
  },
  root_hosts: {
    schema: hosts,
    default: [],
    accepts: HOSTS_TEXT,
    meaning:
      "Hosts that the egress table lets root's own programs reach (cache of updates, place of backups), over TCP, at port 443 where none is named.",
  },
  egress_refresh_s: {
    schema: whole(5, 3_600),
    default: 120,
    accepts: wholeText(5, 3_600, 'seconds'),
    meaning:
      'How often root opens the egress table again for what may be reached. A door that is not opened again closes after three times as long.',
  },
  baseline_path: {
    schema: v.nullable(path),
    default: null,
    accepts: 'an absolute path without `..`',
    meaning: 'Baseline that the checks judge against. When absent, the one that ships with the agent.',
  },
  evidence_retention: {
    schema: whole(1, 1_000_000),
    default: 200,
    accepts: wholeText(1, 1_000_000, 'entries'),
    meaning: 'Newest entries that stay on the appliance whole, however old they are and wherever else they are stored.',
  },
  prune_retention_days: {
    schema: whole(1, 3_650),
    default: 90,
    accepts: wholeText(1, 3_650, 'days'),
    meaning:
      'How long entries stay on the appliance after Central Command signed that it stores them; then only hashes stay.',
  },
  evidence_cap_mib: {
    schema: whole(16, 1_048_576),
    default: 1_024,
    accepts: wholeText(16, 1_048_576, 'MiB'),
    meaning:
      'Evidence on the appliance beyond which digests are left out and heartbeats thinned. Changes are recorded in any case.',
  },
  ntp_max_skew_ms: {
    schema: whole(100, 600_000),
    default: 5_000,
    accepts: wholeText(100, 600_000, 'milliseconds'),
    meaning:
      'Distance from the time servers beyond which nothing disruptive is done and `doctor` calls the clock wrong. The `clock` check goes by the baseline.',
  },
  memory_limit_mib: {
    schema: whole(64, 65_536),
    default: 400,
    accepts: wholeText(64, 65_536, 'MiB'),
    meaning: 'Memory beyond which the daemon says what it was doing and has itself restarted.',
  },
  timestamp_url: {
    schema: v.nullable(v.pipe(v.string(), v.maxLength(300), v.check(isTimestampUrl))),
    default: null,
    accepts: '`http://` or `https://` with a host, without user, query or fragment',
    meaning: 'RFC 3161 authority that timestamps a checkpoint once a day. When absent, none is asked.',
  },
  timestamp_ca_path: {
    schema: v.nullable(path),
    default: null,
    accepts: 'an absolute path without `..`',
    meaning:
      'Certificates (PEM) that the authority must lead to. When absent, its signature is left for the auditor to check.',
  },
  log_level: {
    schema: v.picklist(LOG_LEVELS),
    default: 'info',
    accepts: LOG_LEVELS.map((level) => `\`${level}\``).join(', '),
    meaning: 'Least important line that is logged. A signed answer may steer it.',
  },
  maintenance_window: {
    schema: v.nullable(v.looseObject({})),
    default: null,
    accepts: `a map of ${Object.keys(WINDOW_FIELDS).join(', ')}`,
    meaning:
      'When disruptive work may happen until the first signed site policy, whose windows then count alone. Without either it waits.',
  },
};
