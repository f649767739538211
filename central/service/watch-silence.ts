import type { Central } from './central.ts';

/** An appliance that has not checked in for this long is reported silent. */
export const SILENT_AFTER_S = 300;

/** Raises one alarm per appliance that fell silent; its next check-in clears it. @returns the silent ones */
export function raiseSilent(central: Pick<Central, 'store' | 'now'>): string[] {
  const now = central.now();
  const silent = central.store.checkins.silentSince(now - SILENT_AFTER_S);
  for (const applianceId of silent) {
    central.store.alarms.raise('appliance_silent', applianceId, `no check-in for ${SILENT_AFTER_S} s`, now);
  }
  return silent;
}
