// What one step of the doctor comes to. Pure values: judges return them, the runner and the printer pass them on.
import type { ErrorCode } from '../../errors/codes.ts';

/** In the order in which they are shown: what others rest on comes first. */
export const STEP_IDS = [
  'config',
  'permissions',
  'disk',
  'inodes',
  'database',
  'enrolment',
  'clock',
  'dns',
  'dns_filter',
  'egress',
  'tcp',
  'ipv6',
  'proxy',
  'tls',
  'portal',
  'central',
  'daemon',
] as const;
export type StepId = (typeof STEP_IDS)[number];

export interface Problem {
  /** Row of docs/errors.md; its exit code is the verb's where this is the first problem. */
  readonly code: ErrorCode;
  /** What was seen, with numbers and names. */
  readonly sentence: string;
  /** What follows from it for this appliance. */
  readonly meaning: string;
  /** What somebody can do about it. */
  readonly remedy: string;
}

export type Verdict =
  | { readonly state: 'ok'; readonly sentence: string; readonly notes?: readonly string[] }
  | {
      readonly state: 'problem';
      readonly problems: readonly [Problem, ...Problem[]];
      /** True where the steps that rest on this one cannot say anything any more. */
      readonly breaks: boolean;
      readonly notes?: readonly string[];
    }
  /** Nothing was judged; `because` ends the sentence "not looked at because …". */
  | { readonly state: 'not_looked_at'; readonly because: string; readonly needs: readonly StepId[] };

export const ok = (sentence: string, notes: readonly string[] = []): Verdict => ({ state: 'ok', sentence, notes });

export const notLookedAt = (because: string, needs: readonly StepId[] = []): Verdict => ({
  state: 'not_looked_at',
  because,
  needs,
});

/** The problems, or `fine` where there are none. `breaks` defaults to true: a broken basis is the usual case. */
export function problemsOr(
  problems: readonly Problem[],
  fine: Verdict,
  o: { readonly breaks?: boolean; readonly notes?: readonly string[] } = {},
): Verdict {
  const [first, ...more] = problems;
  if (first === undefined) return fine;
  return { state: 'problem', problems: [first, ...more], breaks: o.breaks ?? true, notes: o.notes ?? [] };
}

export const problem = (
  one: Problem,
  o: { readonly breaks?: boolean; readonly notes?: readonly string[] } = {},
): Verdict => problemsOr([one], ok(''), o);

/** Text of strangers (certificates, redirects, DNS) inside a sentence: one line, printable, short. */
export function quoted(text: string, max = 120): string {
  const clean = text.replace(/[^\x20-\x7e\u00a0-\uffff]+/g, ' ').trim();
  return clean.length <= max ? clean : `${clean.slice(0, max - 1)}…`;
}
