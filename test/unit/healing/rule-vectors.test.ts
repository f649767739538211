import { describe, expect, it } from 'vitest';
import { isAgentError } from '../../../agent/errors/agent-error.ts';
import { indexRules, type RuleSubject } from '../../../agent/healing/rule-index.ts';
import { parseRule } from '../../../agent/healing/rule.ts';
import { vectorJson } from '../../support/vectors.ts';

interface VectorFinding extends Omit<RuleSubject, 'readAt' | 'failingSince'> {
  readonly read_at: number;
  readonly failing_since: number;
  readonly now: number;
}
interface Case {
  readonly name: string;
  readonly expect: string;
  readonly yaml: string;
  readonly line?: number;
  readonly findings?: readonly { finding: VectorFinding; fires: boolean }[];
}
const { cases } = vectorJson<{ cases: Case[] }>('healing/rules.json');

const place = (run: () => unknown): { code: string; place: string | undefined } => {
  try {
    run();
    return { code: 'ok', place: undefined };
  } catch (error) {
    if (!isAgentError(error)) throw error;
    return { code: error.code, place: error.place };
  }
};

describe('the vectors of healing rules', () => {
  it.each(cases.map((c) => [c.name, c] as const))(
    'are read, or refused with path and line, as they say: %s',
    (_, c) => {
      const came = place(() => parseRule(Buffer.from(c.yaml), 'rule.yaml'));
      expect(came).toEqual({ code: c.expect, place: c.line === undefined ? undefined : `rule.yaml:${c.line}` });
    },
  );

  it('fire for the findings that they name and for no other, and say why not', () => {
    let held = 0;
    for (const { name, yaml, findings = [] } of cases) {
      for (const { finding, fires } of findings) {
        const { read_at: readAt, failing_since: failingSince, now, ...rest } = finding;
        const index = indexRules([parseRule(Buffer.from(yaml), 'rule.yaml')]);
        const subject = { ...rest, readAt, failingSince };
        expect(index.match(subject, now) !== null, `${name}: ${JSON.stringify(finding)}`).toBe(fires);
        for (const verdict of index.explain(subject, now)) expect(verdict.fires).toBe(fires);
        held++;
      }
    }
    expect(held).toBeGreaterThan(20);
  });
});
