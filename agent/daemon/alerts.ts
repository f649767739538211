// Alerts that a check-in decides anew each time: raised while their cause is there, cleared when it is gone.
import type { ErrorCode } from '../errors/codes.ts';
import type { Recorder } from '../evidence/recorder.ts';
import type { Severity } from '../wire/schemas/primitives.ts';

export interface Cause {
  /** What exactly went wrong; goes into the entry's details. */
  readonly code: string;
}

const SEVERITIES = {
  evidence_diverged: 'critical',
  evidence_pruned_early: 'critical',
  log_rewound: 'critical',
  log_forked: 'critical',
  witness_refused: 'high',
  cosignature_invalid: 'high',
  receipt_not_accepted: 'high',
  document_not_accepted: 'medium',
  signed_time_went_back: 'high',
  order_refusals_unrecorded: 'high',
  targets_not_accepted: 'high',
  credential_stopped: 'high',
} as const satisfies Partial<Record<ErrorCode, Severity>>;

export type CheckinAlert = keyof typeof SEVERITIES;

/** One entry per change: `cause` null means that all is well again. */
export function setAlert(recorder: Pick<Recorder, 'raise' | 'clear'>, code: CheckinAlert, cause: Cause | null): void {
  if (cause === null) recorder.clear(code);
  else recorder.raise(code, { severity: SEVERITIES[code], details: { cause: cause.code } });
}

/** Raised under their own code; every other cause is a receipt's. */
const OWN_CODE = [
  'evidence_diverged',
  'evidence_pruned_early',
  'log_rewound',
  'log_forked',
  'witness_refused',
  'cosignature_invalid',
] as const;
type OwnCode = (typeof OWN_CODE)[number];

/** The causes of a check-in's alerts by the code under which they are raised; the first of each is named. Pure. */
export function groupCauses(
  found: readonly Cause[],
  failures: readonly Cause[],
): Record<OwnCode | 'receipt_not_accepted' | 'document_not_accepted', Cause | null> {
  const of = (code: OwnCode): Cause | null => found.find((cause) => cause.code === code) ?? null;
  return {
    evidence_diverged: of('evidence_diverged'),
    evidence_pruned_early: of('evidence_pruned_early'),
    log_rewound: of('log_rewound'),
    log_forked: of('log_forked'),
    witness_refused: of('witness_refused'),
    cosignature_invalid: of('cosignature_invalid'),
    receipt_not_accepted: found.find(({ code }) => !OWN_CODE.some((own) => own === code)) ?? null,
    document_not_accepted: failures[0] ?? null,
  };
}
