// Why nothing could be judged on a Windows machine: closed words that stand in evidence.
/** The fact `unseen` of a finding about a Windows machine. */
export const UNSEEN_REASONS = [
  /** No connection to the machine came about. */
  'unreachable',
  /** The machine refused the credentials, or the lock-out guard holds them back. */
  'unauthorised',
  /** Not done within its time. */
  'timeout',
  /** Used more processor time or output than it may. */
  'over_budget',
  /** The last line was not the one JSON document that it has to be. */
  'unparsable',
  /** The document's fields are not those of this check. */
  'wrong_shape',
  /** The script ended with an error. */
  'script_failed',
  /** The runbook's digest is not in the signed content list. */
  'not_listed',
  /** Another machine answered than the one that was pinned. */
  'other_machine',
  /** The machine did not say who it is, and a certain one is expected. */
  'identity_unread',
  /** Most machines of the site are unreachable at once: one finding for all of them. */
  'subnet_dark',
] as const;
export type UnseenReason = (typeof UNSEEN_REASONS)[number];
