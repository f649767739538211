// What a log line must never hold. Pure; the last line of defence, not the first: nobody hands secrets to the log.
import type { LogFields } from './ports.ts';

export const REDACTED = '[redacted]';

const SECRET_KEY =
  /token|secret|passw|passphrase|authorization|cookie|private_?key|api_?key|signing_?key|credential|recovery_?key|^pin$|^pem$/i;
/** Names that speak about a secret without holding it. */
const ABOUT_A_SECRET = /_(?:id|kid|version|sha256|digest|count|name|path|file|state|ms|s|bytes|at|until)$/i;

const SECRET_VALUES: readonly RegExp[] = [
  /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g,
  // PKCS#8 in base64: Ed25519 (RFC 8410) and P-256 (RFC 5915 inside RFC 5958).
  /MC4CAQAwBQYDK2VwBCIEI[A-Za-z0-9+/=]*/g,
  /MIGHAgEAMBMGByqGSM49[A-Za-z0-9+/=]*/g,
  /AGE-SECRET-KEY-1[0-9A-Z]+/gi,
  /\b(?:Bearer|Basic|Negotiate|NTLM|Kerberos)\s+[A-Za-z0-9+/_.~=-]{8,}/gi,
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g,
];
/** `password=x`, `"token": "x"`, `Authorization: x` inside a text: the value goes, the name stays. */
const NAMED_SECRET =
  /((?:token|secret|passw(?:or)?d|passphrase|authorization|cookie|private[_ ]?key|api[_-]?key)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&"']+)/gi;
const URL_USER = /([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi;

/** Replaces everything in a text that looks like a secret. */
export function redactText(text: string): string {
  let out = text;
  for (const pattern of SECRET_VALUES) out = out.replace(pattern, REDACTED);
  return out.replace(NAMED_SECRET, `$1${REDACTED}`).replace(URL_USER, `$1${REDACTED}@`);
}

/** Replaces the values of fields that are named like secrets, and secrets inside the other texts. */
export function redactFields(fields: LogFields): Record<string, string | number | boolean | null> {
  const out: Record<string, string | number | boolean | null> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (SECRET_KEY.test(key) && !ABOUT_A_SECRET.test(key) && typeof value === 'string') out[key] = REDACTED;
    else out[key] = typeof value === 'string' ? redactText(value) : value;
  }
  return out;
}
