// What the daemon knows of the certificates of targets, over restarts: a certificate that ended while the daemon was away lets no
// contact come about that could say so again. An alert for each that ends soon.
import { isAgentError } from '../errors/agent-error.ts';
import type { Recorder } from '../evidence/recorder.ts';
import type { AlertView } from '../outputs/conditions.ts';
import type { Store } from '../store/open-store.ts';
import type { Log } from '../system/ports.ts';
import {
  currentCertificates,
  endingSentence,
  endingSeverity,
  noteCertificate,
  type KnownCertificate,
} from '../targets/certificate-ends.ts';
import type { TargetInfo } from '../targets/target.ts';
import type { OwnTargetTable } from '../targets/target-table.ts';
import { keep, kept } from './self-care.ts';

const CODE = 'target_certificate_ends';

type SettingsOnly = Pick<Store, 'settings'>;

/**
 * A contact was made. What the store does not take is told and left: it must not cost the contact.
 *
 * @param ends of the certificate that the target showed; Unix seconds, as `now`
 */
export function noteTargetCertificate(
  { store, log }: { readonly store: SettingsOnly; readonly log: Log },
  { id, tls }: Pick<TargetInfo, 'id' | 'tls'>,
  ends: number,
  now: number,
): void {
  try {
    const shown = { ends, pinned: tls.trust === 'spki' };
    keep(store, 'target_certificates', noteCertificate(kept(store, 'target_certificates'), id, shown, now));
  } catch (error) {
    if (!isAgentError(error)) throw error;
    log.warn('end of a certificate not kept', { code: error.code, target: id });
  }
}

/**
 * Raises, changes and takes back the alerts.
 *
 * @param nowT signed time; null: it is not known, and everything stays as it is
 */
export function watchTargetCertificates(
  { store, targets }: { readonly store: SettingsOnly; readonly targets: Pick<OwnTargetTable, 'namedOverTls'> },
  recorder: Pick<Recorder, 'raise' | 'clear' | 'alerts'>,
  nowT: number | null,
): void {
  if (nowT === null) return;
  const before = kept(store, 'target_certificates');
  const known = currentCertificates(before, targets.namedOverTls(), nowT);
  if (Object.keys(known).length < Object.keys(before).length) keep(store, 'target_certificates', known);
  const ending = new Set<string>();
  for (const [target, certificate] of Object.entries(known)) {
    const severity = endingSeverity(certificate, nowT);
    if (severity === null) continue;
    ending.add(target);
    recorder.raise(CODE, { severity, target, details: { ends_at: certificate.ends } });
  }
  for (const { code, target } of recorder.alerts()) {
    if (code === CODE && target !== null && !ending.has(target)) recorder.clear(CODE, target);
  }
}

/** What is raised, each with the day of its end. */
function endingNow(
  store: SettingsOnly,
  recorder: Pick<Recorder, 'alerts'>,
): [AlertView, KnownCertificate | undefined][] {
  const known = kept(store, 'target_certificates');
  return recorder
    .alerts()
    .map((alert) => [alert, alert.code === CODE && alert.target !== null ? known[alert.target] : undefined]);
}

/** Alerts as tickets tell them. */
export const alertViews = (store: SettingsOnly, recorder: Pick<Recorder, 'alerts'>): AlertView[] =>
  endingNow(store, recorder).map(([alert, certificate]) =>
    certificate === undefined ? alert : { ...alert, seen: endingSentence(certificate) },
  );

/** A sentence of `status` for each target whose certificate ends soon. */
export const certificateWarnings = (store: SettingsOnly, recorder: Pick<Recorder, 'alerts'>): string[] =>
  endingNow(store, recorder).flatMap(([{ target }, certificate]) =>
    target === null || certificate === undefined ? [] : [`Target ${target}: ${endingSentence(certificate)}.`],
  );
