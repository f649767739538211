// Remembers, while the server runs, which list of targets each appliance was sent last: sending it with every check-in would
// cost a metered line more than everything else in it.

/** A list that was sent is sent again after this time: what the appliance holds ends after 15 minutes. */
export const RESEND_AFTER_S = 600;

export interface SentTargets {
  /** Whether the list of this digest must be sent now. Unix seconds. */
  isDue(applianceId: string, digest: string, now: number): boolean;
  note(applianceId: string, digest: string, now: number): void;
}

export function createSentTargets(): SentTargets {
  const sent = new Map<string, { readonly digest: string; readonly at: number }>();
  return {
    isDue(applianceId, digest, now) {
      const last = sent.get(applianceId);
      return last === undefined || last.digest !== digest || Math.abs(now - last.at) >= RESEND_AFTER_S;
    },
    note: (applianceId, digest, now) => void sent.set(applianceId, { digest, at: now }),
  };
}
