// Facts, baseline, waivers and controls become findings. Pure: the same values give the same findings.
import type { Fact } from '../facts/probe.ts';
import type { FactSet } from '../facts/probes.ts';
import { jcsDigest } from '../wire/jcs.ts';
import type { EntryTarget } from '../wire/schemas/entry.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { Waiver } from '../wire/schemas/site-policy.ts';
import type { LoadedBaseline } from './baseline.ts';
import type { Check, JudgedFacts, Judgement } from './check.ts';
import { controlsOf, type ControlMap } from './controls.ts';
import { waiverFor } from './waive.ts';

/** An entry's sentence and remedy hold this much (wire/schemas/entry.ts). */
const MAX_SENTENCE_CHARS = 600;
/** A fact older than so many cadences judges nothing any more. */
const MAX_AGE_CADENCES = 2;

export interface JudgeAllInput {
  readonly checks: readonly Check[];
  readonly facts: FactSet;
  readonly baseline: LoadedBaseline;
  readonly controls: readonly ControlMap[];
  readonly waivers: readonly Waiver[];
  /** Unix seconds. */
  readonly now: number;
  readonly target: EntryTarget;
  /** False where a signed content list is in force and does not name this baseline: then nothing can be judged by it. */
  readonly baselineSigned: boolean;
}

function cut(sentence: string): string {
  return sentence.length <= MAX_SENTENCE_CHARS ? sentence : `${sentence.slice(0, MAX_SENTENCE_CHARS - 1)}…`;
}

/** SHA-256 of the JCS of the facts that were judged: measured values left out, their buckets kept. */
export function factsDigest(check: Pick<Check, 'factKeys'>, facts: JudgedFacts): string {
  return jcsDigest(Object.fromEntries(Object.entries(facts).filter(([key]) => check.factKeys[key]?.judged !== false)));
}

function withoutStale(check: Check, facts: FactSet, now: number): FactSet {
  const oldest = now - MAX_AGE_CADENCES * check.cadenceS;
  const fresh = check.probes.map((name) => {
    const fact = facts[name] as Fact<unknown> | undefined;
    if (fact === undefined || fact.status === 'unreadable' || fact.readAt >= oldest) return [name, fact] as const;
    const stale: Fact<unknown> = {
      status: 'unreadable',
      probe: name,
      reason: 'stale',
      detail: `read at ${fact.readAt}`,
      readAt: fact.readAt,
    };
    return [name, stale] as const;
  });
  return Object.fromEntries(fresh);
}

function judge(check: Check, facts: FactSet, o: JudgeAllInput): Judgement {
  if (!o.baselineSigned) {
    return {
      result: 'unknown',
      severity: 'high',
      sentence: `the baseline ${o.baseline.id} version ${o.baseline.version} is not named by the signed content list`,
      facts: { baseline_signed: false },
    };
  }
  try {
    return check.judge({ facts, baseline: o.baseline, now: o.now });
  } catch {
    // A defect of one check must not silence the others.
    return {
      result: 'unknown',
      severity: 'high',
      sentence: 'the check ended with a defect of this program; please report it with the facts of this machine',
      facts: {},
    };
  }
}

function toFinding(check: Check, o: JudgeAllInput): Finding {
  const facts = withoutStale(check, o.facts, o.now);
  const judgement = judge(check, facts, o);
  const waiver = judgement.result === 'fail' ? waiverFor(o.waivers, check.id, o.target, o.now) : null;
  const read = check.probes.flatMap((name) => facts[name]?.readAt ?? []);
  const times = read.length === 0 ? [o.now] : read;
  const until = waiver === null ? '' : new Date(waiver.expires_at * 1000).toISOString().slice(0, 10);
  const sentence =
    waiver === null ? judgement.sentence : `waived by ${waiver.approver} until ${until}: ${judgement.sentence}`;
  return {
    target: o.target,
    check: { id: check.id, version: check.version },
    baseline: { id: o.baseline.id, version: o.baseline.version, sha256: o.baseline.sha256 },
    controls: controlsOf(check.id, o.controls),
    severity: judgement.severity,
    result: waiver === null ? judgement.result : 'waived',
    sentence: cut(sentence),
    ...(judgement.remedy === undefined ? {} : { remedy: cut(judgement.remedy) }),
    facts: { ...judgement.facts },
    facts_digest: factsDigest(check, judgement.facts),
    // The oldest of them: a judgement is as fresh as what it rests on.
    facts_read_at: Math.min(...times),
    ...(waiver === null ? {} : { waiver_id: waiver.id }),
    observed_from: Math.min(...times),
    observed_to: Math.max(...times),
  };
}

/** One finding per check, in the order of the checks. */
export function judgeAll(input: JudgeAllInput): Finding[] {
  return input.checks.map((check) => toFinding(check, input));
}
