// Judgements of what a runbook's detect or verify saw on a Windows machine. One file for each runbook in this folder; pure.
import * as v from 'valibot';
import type { UnseenReason } from '../../wire/unseen-reasons.ts';
import type { FactKey, Judgement } from '../check.ts';

/** Told apart before anything is judged: what binds a domain controller may not bind a member server. */
export const WINDOWS_ROLES = ['domain_controller', 'member_server', 'workstation'] as const;
export type WindowsRole = (typeof WINDOWS_ROLES)[number];

/** Values of a runbook's typed params, defaults filled in. */
export type RunbookParams = Readonly<Record<string, number | boolean | string | readonly string[]>>;

export interface WindowsJudgeInput<Facts> {
  /** As the script printed them and `factsSchema` passed them. */
  readonly facts: Facts;
  /** Thresholds live here, never in a script. */
  readonly params: RunbookParams;
  /** Unix seconds, the appliance's clock; the machine's own is a fact where it matters. */
  readonly now: number;
  /** As the list of targets declares it; null where it says something else. What the script detected is a fact. */
  readonly role: WindowsRole | null;
}

/** One Windows check, its facts typed. Give it to {@link windowsCheck}. */
export interface TypedWindowsCheck<S extends v.GenericSchema> {
  /** Name of the check in findings, waivers and scope, for example `windows_av`. */
  readonly id: string;
  /** Id of the runbook whose facts it judges. */
  readonly runbook: string;
  /** Rises whenever the same facts could be judged differently. */
  readonly version: number;
  readonly title: string;
  /** Seconds between two scheduled looks. */
  readonly cadenceS: number;
  /** Strict: a field that is missing, odd or not known makes the finding `unknown`. */
  readonly factsSchema: S;
  /** Every key that this check puts into evidence. */
  readonly factKeys: Readonly<Record<string, FactKey>>;
  judge(input: WindowsJudgeInput<v.InferOutput<S>>): Judgement;
}

/** A Windows check whose judge takes any facts and says `unknown` to those that do not fit its schema. */
export interface WindowsCheck extends Omit<TypedWindowsCheck<v.GenericSchema>, 'judge'> {
  judge(input: WindowsJudgeInput<unknown>): Judgement;
}

/** The judgement where a machine or its facts could not be read. */
export function unseen(reason: UnseenReason, sentence: string): Judgement {
  return { result: 'unknown', severity: 'medium', sentence, facts: { unseen: reason } };
}

/** Ties a check's schema to its judge: what does not fit is `unknown`, and says which field. */
export function windowsCheck<S extends v.GenericSchema>(check: TypedWindowsCheck<S>): WindowsCheck {
  return {
    ...check,
    judge(input) {
      const facts = v.safeParse(check.factsSchema, input.facts, { abortEarly: true });
      if (!facts.success) {
        const known = new Set(Object.keys((check.factsSchema as { entries?: object }).entries ?? {}));
        const key = String(facts.issues[0].path?.[0]?.key ?? '');
        // A key that is not ours may be anything; only our own are named.
        const which = known.has(key)
          ? `the fact ${key} is missing or is not what it has to be`
          : 'there is a fact too many';
        return unseen('wrong_shape', `the facts of ${check.runbook} cannot be judged: ${which}`);
      }
      return check.judge({ ...input, facts: facts.output });
    },
  };
}
