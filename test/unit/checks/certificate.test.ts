// The certificate towards Central Command, which the agent renews by itself: a finding where it does not.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { selfCheck } from '../../../agent/checks/self.ts';
import { judgeAll } from '../../../agent/checks/judge-all.ts';
import type { SelfFacts } from '../../../agent/facts/self.ts';
import { subjectOf } from '../../../agent/healing/incident-book.ts';
import { indexRules } from '../../../agent/healing/rule-index.ts';
import { parseRule } from '../../../agent/healing/rule.ts';
import { READ_AT } from '../../support/fixture-facts.ts';
import { baseline, controlMaps, HEALTHY, RUNBOOKS } from './sample-facts.ts';

const HOUR_S = 3_600;
const path = join(RUNBOOKS, 'rules/certificate-overdue.yaml');
const rules = indexRules([parseRule(readFileSync(path), path)]);

function judge(certificate: SelfFacts['certificate'], edit: (yaml: string) => string = (yaml) => yaml) {
  const fact = { status: 'read', probe: 'self', value: { ...HEALTHY.self, certificate }, readAt: READ_AT } as const;
  const [finding] = judgeAll({
    ...{ checks: [selfCheck], facts: { self: fact }, baseline: baseline(edit), controls: controlMaps(), waivers: [] },
    ...{ now: READ_AT, baselineSigned: true, target: { id: 'appliance', role: 'appliance', os_build: null } },
  });
  if (finding === undefined) throw new Error('no finding');
  const { result, facts } = finding;
  return [
    result,
    facts['certificate'],
    facts['certificate_hours'],
    rules.match(subjectOf(finding, READ_AT), READ_AT)?.file.id,
  ];
}
/** A life of a day, of which so many hours are left. */
const left = (hours: number): SelfFacts['certificate'] => ({
  notBefore: READ_AT - Math.round((24 - hours) * HOUR_S),
  notAfter: READ_AT + Math.round(hours * HOUR_S),
});

describe('the certificate of the appliance, in the check self', () => {
  it.each([
    ['new', left(24), 'pass', 'valid', 24],
    ['about to be renewed', left(8), 'pass', 'valid', 8],
    ['overdue', left(3), 'fail', 'overdue', 3],
    ['lapsed this second', left(0), 'fail', 'lapsed', 0],
    ['lapsed a week ago', left(-168), 'fail', 'lapsed', 0],
    ['without any life, as where it cannot be read', { notBefore: 0, notAfter: 0 }, 'fail', 'lapsed', 0],
    ['not there, since the appliance is not enrolled', 'none', 'pass', 'none', null],
    ['not read, by the command line', 'not_read', 'pass', 'not_read', null],
  ] as const)('is judged where it is %s', (_what, certificate, result, state, hours) => {
    expect(judge(certificate)).toEqual([result, state, hours, result === 'fail' ? 'certificate-overdue' : undefined]);
  });

  it('is not judged where the baseline does not ask for it', () => {
    const without = (yaml: string): string => yaml.replace(/ +certificate_percent_left: .*\n/, '');
    expect(judge(left(-1), without)).toEqual(['pass', 'not_expected', 0, undefined]);
  });
});
