// The hourly audit of stored evidence: one bounded run at a time, with alarms about what it finds.
import { auditEvidence, HOURLY, type AuditLimits, type Finding } from '../evidence-store/audit-evidence.ts';
import type { Central } from './central.ts';

export const AUDIT_EVERY_MS = 3_600_000;

export interface EvidenceWatch {
  /** Ends the run in hand between two objects. */
  stop(): Promise<void>;
}

/** Starts with a run at once, so that what happened while the server was away is seen. */
export function watchEvidence(
  central: Pick<Central, 'store' | 'evidence' | 'now'>,
  o: { onFinding: (finding: Finding) => void; onFailure: (error: unknown) => void; everyMs?: number },
): EvidenceWatch {
  const aborted = new AbortController();
  let running: Promise<void> | null = null;
  const run = (): void => {
    running ??= auditOnce(central, HOURLY, aborted.signal, o.onFinding)
      .catch(o.onFailure)
      .then(() => {
        running = null;
      });
  };
  run();
  const timer = setInterval(run, o.everyMs ?? AUDIT_EVERY_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      aborted.abort();
      await running;
    },
  };
}

/** One run, with an alarm for each log about which something was found, cleared by a whole pass that finds nothing there. */
export async function auditOnce(
  { store, evidence, now }: Pick<Central, 'store' | 'evidence' | 'now'>,
  limits: AuditLimits,
  signal: AbortSignal,
  onFinding: (finding: Finding) => void,
): Promise<void> {
  const deps = {
    evidence,
    index: store.objects,
    audit: store.audit,
    now,
    onFinding: (finding: Finding) => {
      const known = store.alarms.isOpen(['evidence_audit'], finding.origin);
      if (!known) store.alarms.raise('evidence_audit', finding.origin, 'see central-command evidence audit', now());
      onFinding(finding);
    },
  };
  if (!(await auditEvidence(deps, limits, signal))) return;
  for (const { origin, open } of store.audit.origins()) {
    if (!open) store.alarms.clear('evidence_audit', origin, now());
  }
}
