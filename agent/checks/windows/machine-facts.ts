// What the facts of every Windows runbook begin with: which machine answered, and what on it could not be read.
import * as v from 'valibot';
import { int } from '../../wire/schemas/primitives.ts';
import { conclude, judged, type FactKey, type JudgedFacts, type Judgement } from '../check.ts';
import { WINDOWS_ROLES, type RunbookParams, type WindowsJudgeInput, type WindowsRole } from './windows-check.ts';

const [MINUTE_S, HOUR_S] = [60, 3_600];

/** ISO 8601 in UTC, to the second, as the scripts print it. */
export const isoTime = v.pipe(v.string(), v.isoTimestamp(), v.endsWith('Z'));

/** A name of the scripts' own making. */
export const factName = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]{1,64}$/));

const UNREAD_SENTENCES = {
  missing: 'Windows does not have what it is read with',
  missing_property: 'Windows does not say it',
  denied: 'Windows denies it',
  timeout: 'the answer did not come in time',
  over_budget: 'it would have used more processor time than it may',
  failed: 'the reading failed',
} as const;

/** Spread these into a check's strict facts schema. */
export const machineFacts = {
  host: v.nullable(
    v.strictObject({
      role: v.picklist(WINDOWS_ROLES),
      build: int(7_600, 99_999),
      powershell: int(5, 99),
      /** The machine's own clock. */
      read_at: isoTime,
    }),
  ),
  unread: v.pipe(
    v.array(
      v.strictObject({
        part: factName,
        reason: v.picklist(Object.keys(UNREAD_SENTENCES) as (keyof typeof UNREAD_SENTENCES)[]),
        /** HRESULT, in hexadecimal. */
        code: v.pipe(v.string(), v.regex(/^0x[0-9a-f]{8}$/)),
      }),
    ),
    v.maxLength(64),
  ),
};

const schema = v.strictObject(machineFacts);
type MachineFacts = v.InferOutput<typeof schema>;

/** Spread these into a check's fact keys. */
export const MACHINE_KEYS = {
  role: judged('name'),
  /** How many things could not be read. */
  unread: judged('integer'),
} satisfies Record<string, FactKey>;

export interface Machine {
  readonly role: WindowsRole | null;
  /** Unix seconds by the machine's own clock, which dates everything that it says; null where it was not read. */
  readonly at: number | null;
  /** Clauses that keep a finding from being a pass. */
  readonly unknowns: readonly string[];
  readonly facts: JudgedFacts;
}

export const unixOf = (iso: string): number => Math.floor(Date.parse(iso) / 1000);

/** Whole hours between a fact's time and the machine's clock; null where one of them is not known. */
export function hoursAgo(iso: string | null, at: number | null): number | null {
  return iso === null || at === null ? null : Math.floor((at - unixOf(iso)) / HOUR_S);
}

/** One clause for each reason, with the parts that it kept from being read. */
function unreadClauses(unread: MachineFacts['unread']): string[] {
  return [...new Set(unread.map(({ reason }) => reason))].map((reason) => {
    const parts = new Set(unread.filter((one) => one.reason === reason).map(({ part }) => part.replaceAll('_', ' ')));
    return `${[...parts].join(', ')} could not be read: ${UNREAD_SENTENCES[reason]}`;
  });
}

/**
 * Judges what all Windows checks have in common: everything was read, the machine is what the list of targets says, and its
 * clock is near enough to ours for ages to mean something (param `clock_tolerance_minutes`).
 */
export function judgeMachine({ facts, params, now, role }: WindowsJudgeInput<MachineFacts>): Machine {
  const unread = unreadClauses(facts.unread);
  const seen = { unread: facts.unread.length };
  if (facts.host === null) {
    const none = unread.length > 0 ? unread : ['the machine does not say what it is'];
    return { role: null, at: null, unknowns: none, facts: { role: null, ...seen } };
  }
  const { host } = facts;
  const at = unixOf(host.read_at);
  const unknowns = [...unread];
  if (role !== null && role !== host.role) {
    unknowns.push(`the list of targets says ${role}, and the machine says ${host.role}`);
  }
  if (Math.abs(at - now) > number(params, 'clock_tolerance_minutes') * MINUTE_S) {
    unknowns.push("the machine's clock is too far from ours for the ages of what it says");
  }
  return { role: host.role, at, unknowns, facts: { role: host.role, ...seen } };
}

/** Where the machine's clock was not read no age means anything, so nothing else is said. */
export function unseenMachine({ unknowns, facts }: Machine): Judgement {
  return conclude({ problems: [], unknowns, passSentence: '', facts });
}

/** A param that runbook.yaml declares as an integer. */
export function number(params: RunbookParams, key: string): number {
  const value = params[key];
  if (typeof value !== 'number') throw new TypeError(`the param ${key} is no number`);
  return value;
}

/** A param that runbook.yaml declares as a choice. */
export function choice(params: RunbookParams, key: string): string {
  const value = params[key];
  if (typeof value !== 'string') throw new TypeError(`the param ${key} is no choice`);
  return value;
}

/** A param that runbook.yaml declares as a list of names. */
export function names(params: RunbookParams, key: string): readonly string[] {
  const value = params[key];
  if (!Array.isArray(value)) throw new TypeError(`the param ${key} is no list`);
  return value as readonly string[];
}

/** A param that runbook.yaml declares as a boolean. */
export function flag(params: RunbookParams, key: string): boolean {
  const value = params[key];
  if (typeof value !== 'boolean') throw new TypeError(`the param ${key} is no boolean`);
  return value;
}
