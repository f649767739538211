// The log that knows the live secrets: whatever holds one, in any of the spellings that a program makes of it, is not written.
// The last line of defence; nobody hands a secret to the log.
import { transcode } from 'node:buffer';
import type { Log, LogFields } from '../system/ports.ts';
import { REDACTED } from '../system/redact.ts';

/** Shorter ones would blank every line that holds such letters by chance; an account that is worth anything has more. */
const SHORTEST_SECRET_BYTES = 4;

/**
 * @param secrets every secret that is in memory at this moment
 */
export function withoutSecrets(log: Log, secrets: () => readonly Buffer[]): Log {
  const clean = (text: string, live: readonly Buffer[]): string => (holdsSecret(text, live) ? REDACTED : text);
  const fields = (given: LogFields | undefined, live: readonly Buffer[]): LogFields | undefined =>
    given === undefined || live.length === 0
      ? given
      : Object.fromEntries(
          Object.entries(given).map(([key, value]) => [key, typeof value === 'string' ? clean(value, live) : value]),
        );
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (phrase: string, given?: LogFields): void => {
      const live = secrets();
      log[level](clean(phrase, live), fields(given, live));
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (given) => withoutSecrets(log.child(fields(given, secrets()) ?? {}), secrets),
    setLevel: (level) => log.setLevel(level),
  };
}

/** As text, in UTF-16 (what Windows is sent), or as hex or base64 of either, at any of its three alignments. */
export function holdsSecret(text: string, live: readonly Buffer[]): boolean {
  const bytes = Buffer.from(text);
  const hex = Buffer.from(text.toLowerCase());
  return live.some((secret) => {
    if (secret.length < SHORTEST_SECRET_BYTES) return false;
    // Not by way of a string, which nobody could zero.
    const wide = transcode(secret, 'utf8', 'utf16le');
    try {
      if (bytes.includes(secret) || bytes.includes(wide)) return true;
      return [secret, wide].some(
        (form) =>
          includesAscii(hex, form.toString('hex')) || base64Cores(form).some((core) => includesAscii(bytes, core)),
      );
    } finally {
      wide.fill(0);
    }
  });
}

const includesAscii = (bytes: Buffer, text: string): boolean => text.length > 0 && bytes.includes(text, 'latin1');

/** The digits of base64 that depend on nothing but the secret, wherever it begins in what is encoded. */
function base64Cores(form: Buffer): string[] {
  return [0, 1, 2].map((skip) => {
    const whole = Math.floor((form.length - skip) / 3) * 3;
    return form.subarray(skip, skip + whole).toString('base64');
  });
}
