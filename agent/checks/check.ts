// Checks: pure judgements of facts against the baseline. What a check may say, and how it says it.
import type { Fact } from '../facts/probe.ts';
import type { FactSet, FactValues, ProbeName } from '../facts/probes.ts';
import type { PlainJson, Severity } from '../wire/schemas/primitives.ts';
import type { LoadedBaseline } from './baseline.ts';

/** What goes into evidence: documented keys of one level, no user names, no addresses, no paths. */
export type JudgedFacts = Readonly<Record<string, PlainJson>>;

/** The value of a fact key in evidence; `names` is a list. A name is letters, digits and `_ . -`. Any value may be null. */
export type FactType = 'integer' | 'boolean' | 'name' | 'names' | 'digest';

export interface FactKey {
  readonly type: FactType;
  /**
   * True: part of `facts_digest`. False: measured (a fill level, an age, an offset); recorded beside its bucket, but not
   * part of the digest, so that "unchanged" can be true.
   */
  readonly judged: boolean;
}

export const judged = (type: FactType): FactKey => ({ type, judged: true });
export const measured = (type: FactType): FactKey => ({ type, judged: false });

export interface Judgement {
  readonly result: 'pass' | 'fail' | 'not_applicable' | 'unknown';
  readonly severity: Severity;
  /** One plain sentence. A pass names the fact it rests on, an unknown the reason. */
  readonly sentence: string;
  /** For `fail`: what would make it pass. */
  readonly remedy?: string;
  readonly facts: JudgedFacts;
}

export interface JudgeInput {
  readonly facts: FactSet;
  readonly baseline: LoadedBaseline;
  /** Unix seconds. */
  readonly now: number;
}

export interface Check {
  /** Also the key under which a baseline declares what it judges by. */
  readonly id: keyof LoadedBaseline['checks'];
  /** Rises whenever the same facts could be judged differently. */
  readonly version: number;
  readonly title: string;
  /** Seconds between two runs. */
  readonly cadenceS: number;
  readonly probes: readonly ProbeName[];
  /** Every key that this check puts into evidence. */
  readonly factKeys: Readonly<Record<string, FactKey>>;
  judge(input: JudgeInput): Judgement;
}

/** One thing that is not as declared. */
export interface Problem {
  readonly sentence: string;
  readonly remedy: string;
  readonly severity: Severity;
}

const SEVERITIES: readonly Severity[] = ['info', 'low', 'medium', 'high', 'critical'];
/** Not knowing is no emergency, but somebody has to look. */
const UNKNOWN_SEVERITY: Severity = 'medium';

function worst(problems: readonly Problem[]): Severity {
  return SEVERITIES[Math.max(...problems.map((p) => SEVERITIES.indexOf(p.severity)))] ?? UNKNOWN_SEVERITY;
}

/** Any problem is a fail; without one, anything that is not known is unknown; only then it is a pass. */
export function conclude(o: {
  readonly problems: readonly Problem[];
  /** What could not be judged, as clauses of a sentence. */
  readonly unknowns: readonly string[];
  readonly passSentence: string;
  readonly facts: JudgedFacts;
}): Judgement {
  if (o.problems.length > 0) {
    return {
      result: 'fail',
      severity: worst(o.problems),
      sentence: o.problems.map((p) => p.sentence).join('; '),
      remedy: [...new Set(o.problems.map((p) => p.remedy))].join('; '),
      facts: o.facts,
    };
  }
  if (o.unknowns.length > 0) {
    return { result: 'unknown', severity: UNKNOWN_SEVERITY, sentence: o.unknowns.join('; '), facts: o.facts };
  }
  return { result: 'pass', severity: 'info', sentence: o.passSentence, facts: o.facts };
}

const REASON_SENTENCES = {
  missing_tool: 'no tool that can read it is installed',
  denied: 'the operating system denies it',
  timeout: 'the reading did not end before its deadline',
  too_much_output: 'there was more output than a probe takes',
  unparsable: 'the output is not what the tool documents',
  stale: 'the last reading is too old',
  untrusted: 'others than root could have written the reading',
  not_declared: 'the baseline does not say where to look',
  failed: 'the reading failed',
} as const;

/** The value of a fact, or the judgement that it could not be read, with the reason as a sentence and as a recorded fact. */
export function readOr<N extends ProbeName>(
  facts: FactSet,
  probe: N,
  what: string,
): { readonly value: FactValues[N] } | { readonly judgement: Judgement } {
  const fact: Fact<FactValues[N]> | undefined = facts[probe];
  if (fact?.status === 'read') return { value: fact.value };
  const reason = fact?.reason ?? 'failed';
  return {
    judgement: {
      result: 'unknown',
      severity: UNKNOWN_SEVERITY,
      sentence: `${what} could not be read: ${REASON_SENTENCES[reason]}`,
      facts: { [`unreadable_${probe}`]: reason },
    },
  };
}

type Declarations = LoadedBaseline['checks'];
type Declared<K extends keyof Declarations> = Extract<Declarations[K], { expected: 'declared' }>;

/** What the baseline declares for a check, or the judgement where it declares nothing or says why nothing is expected. */
export function declaredOr<K extends keyof Declarations>(
  baseline: LoadedBaseline,
  check: K,
): { readonly declared: Declared<K> } | { readonly judgement: Judgement } {
  const entry: Declarations[K] = baseline.checks[check];
  if (entry === undefined) {
    return {
      judgement: {
        result: 'unknown',
        severity: UNKNOWN_SEVERITY,
        sentence: `the baseline ${baseline.id} says nothing about ${check}`,
        facts: { expected: 'not_declared' },
      },
    };
  }
  if (entry.expected === 'none') {
    return {
      judgement: {
        result: 'not_applicable',
        severity: 'info',
        sentence: `the baseline ${baseline.id} expects no ${check} here: ${entry.reason}`,
        facts: { expected: 'none' },
      },
    };
  }
  return { declared: entry as Declared<K> };
}
