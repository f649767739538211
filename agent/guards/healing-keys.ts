// The one place where the keys of healing are made. A row that was written under one key and is looked for under another guards
// nothing, so nothing else may write or read by a key of its own making.

/** Only `healingKeys` makes one. */
export type HealingKey = string & { readonly made: unique symbol };

export interface HealingSubject {
  readonly targetId: string;
  readonly checkId: string;
  /** Id of the rule that fits, or `unmatched`. */
  readonly condition: string;
  /** Id alone: a new version of a runbook does not start with new limits. */
  readonly runbookId: string;
}

export interface HealingKeys {
  /** Attempts and flapping are counted by it. */
  readonly incident: HealingKey;
  /** Cool-down and runs of a day are counted by it. */
  readonly run: HealingKey;
  /** One target, whatever is run there. */
  readonly target: HealingKey;
}

const keyOf = (...parts: readonly string[]): HealingKey =>
  JSON.stringify(parts.map((part) => part.trim().toLowerCase())) as HealingKey;

/** The key of a target alone, as {@link healingKeys} makes it. */
export const targetKey = (targetId: string): HealingKey => keyOf('target', targetId);

/** Letters' case and blanks at the ends do not make another target, check, condition or runbook. */
export function healingKeys(subject: HealingSubject): HealingKeys {
  const { targetId, checkId, condition, runbookId } = subject;
  return {
    incident: keyOf('incident', targetId, checkId, condition),
    run: keyOf('run', targetId, runbookId),
    target: targetKey(targetId),
  };
}
