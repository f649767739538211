// When the certificates end that targets show over TLS, and from when on people are told. Of a certificate nothing but its end is
// known here. Pure.
import type { Severity } from '../wire/schemas/primitives.ts';

const DAY_S = 86_400;
/** People hear of an end this early: time enough to have a certificate issued. */
export const CERTIFICATE_WARNING_S = 30 * DAY_S;
/** From here on it is urgent: after its end no contact is made. */
export const CERTIFICATE_URGENT_S = 7 * DAY_S;
/** A target that was not met for so long is forgotten: whether it is still there, and what it shows, nobody can say. */
export const CERTIFICATE_FORGOTTEN_S = 30 * DAY_S;
/** How old `met` may get before it is written anew. */
const MET_STEP_S = DAY_S;

/** Of the last contact. All times are Unix seconds. */
export interface KnownCertificate {
  readonly ends: number;
  /** When the target was met with it, at most a day too early. */
  readonly met: number;
  /** Its key is pinned: dates do not count then, and contact goes on after the end. */
  readonly pinned: boolean;
}

/** By id of the target. */
export type KnownCertificates = Readonly<Record<string, KnownCertificate>>;

/** `known` with what a contact at `now` showed; the same object where nothing is worth writing. */
export function noteCertificate(
  known: KnownCertificates,
  target: string,
  shown: Pick<KnownCertificate, 'ends' | 'pinned'>,
  now: number,
): KnownCertificates {
  const before = Object.hasOwn(known, target) ? known[target] : undefined;
  const isSame = before?.ends === shown.ends && before.pinned === shown.pinned;
  if (isSame && Math.abs(now - before.met) < MET_STEP_S) return known;
  return { ...known, [target]: { ends: shown.ends, met: now, pinned: shown.pinned } };
}

/**
 * Those of `known` that still say something.
 *
 * @param named targets that may be reached over TLS, by the last list that came; null before the first: then none is gone
 */
export function currentCertificates(
  known: KnownCertificates,
  named: readonly string[] | null,
  now: number,
): KnownCertificates {
  const kept = Object.entries(known).filter(
    ([target, { met }]) => (named === null || named.includes(target)) && now - met < CERTIFICATE_FORGOTTEN_S,
  );
  return Object.fromEntries(kept);
}

/** How bad it is at `now` that this certificate ends; null while its end is far. With a pinned key nothing breaks at the end. */
export function endingSeverity({ ends, pinned }: KnownCertificate, now: number): Severity | null {
  const left = ends - now;
  if (left >= CERTIFICATE_WARNING_S) return null;
  return pinned || left >= CERTIFICATE_URGENT_S ? 'low' : 'high';
}

/** For people: the day of the end, in UTC, and what it means. */
export function endingSentence({ ends, pinned }: KnownCertificate): string {
  const day = new Date(ends * 1_000).toISOString().slice(0, 10);
  const after = pinned ? 'its key is pinned, so that contact goes on' : 'from then on there is no contact';
  return `the certificate that it shows over TLS ends on ${day}: ${after}`;
}
