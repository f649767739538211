// What people must be told about a root: that it runs out, and where one person decides alone.
import type { Root } from '../wire/schemas/root.ts';

const DAY_S = 86_400;
/** Days before expiry at which a warning is repeated, most urgent first. */
export const WARNING_DAYS = [3, 14, 30, 60] as const;

export interface RootWarning {
  readonly code: 'root_expired' | 'root_expires' | 'single_approver' | 'content_by_one';
  /** For `root_expires`: the smallest of WARNING_DAYS that is reached, so that each step is said once. */
  readonly step: number | null;
  readonly sentence: string;
}

/** Whether documents other than a newer root may still be accepted under this root. Expiry never stops observation. */
export function isRootExpired(root: Root, now: number): boolean {
  return now >= root.expires_at;
}

/** Warnings in force at `now` (Unix seconds). */
export function rootWarnings(root: Root, now: number): RootWarning[] {
  const warnings: RootWarning[] = [];
  const daysLeft = Math.floor((root.expires_at - now) / DAY_S);
  const step = WARNING_DAYS.find((days) => root.expires_at - now <= days * DAY_S);
  if (isRootExpired(root, now)) {
    const sentence = `root ${root.version} is expired: only a newer root is accepted; checks, evidence and upload go on`;
    warnings.push({ code: 'root_expired', step: null, sentence });
  } else if (step !== undefined) {
    warnings.push({ code: 'root_expires', step, sentence: `root ${root.version} expires in ${daysLeft} days` });
  }
  if (root.single_approver !== undefined) {
    const minutes = Math.ceil(root.single_approver.delay_s / 60);
    const sentence = `one person alone may authorise disruptive work, after a delay of ${minutes} minutes`;
    warnings.push({ code: 'single_approver', step: null, sentence });
  }
  if (root.roles.content.threshold === 1) {
    warnings.push({ code: 'content_by_one', step: null, sentence: 'one person alone may sign the content list' });
  }
  return warnings;
}
