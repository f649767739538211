// Vectors of healing rules: files that must be refused, and findings held against one that is right (docs/formats/rules.md).

interface RuleCase {
  readonly name: string;
  readonly expect: 'ok' | 'rule_invalid';
  readonly yaml: string;
  /** Of the first mistake; only where the file is refused. */
  readonly line?: number;
  /** Findings, and whether the rule fires for each. */
  readonly findings?: readonly { readonly finding: object; readonly fires: boolean }[];
}

const RULE = `schema: compliance-agent/rule/v1
id: av-stopped
version: 1
title: Start the scanner again
platform: appliance
when:
  check: av_edr
  all:
    - { field: service, op: in, value: [inactive, failed] }
  none:
    - { field: binary, op: eq, value: changed }
runbook: RB-APP-AV-001
params: {}
severity: high
priority: 100
cooldown_s: 900
max_attempts: 2
controls:
  - { map: hipaa-2013, cite: 164.308(a)(5)(ii)(B) }
source: site
`;

/** Of 2027-01-15. */
const NOW = 1_800_000_000;
const finding = (facts: object, more: object = {}): object => ({
  platform: 'appliance',
  check: 'av_edr',
  result: 'fail',
  severity: 'high',
  facts,
  read_at: NOW - 60,
  failing_since: NOW - 7_200,
  role: 'appliance',
  now: NOW,
  ...more,
});

const edit = (from: string, to: string): string => {
  if (!RULE.includes(from)) throw new Error(`the rule has no ${from}`);
  return RULE.replace(from, to);
};
const all = (condition: string): string => edit('{ field: service, op: in, value: [inactive, failed] }', condition);
/** `yaml` is refused for what begins at `line`. */
const refused = (name: string, line: number, yaml: string): RuleCase => ({ name, expect: 'rule_invalid', yaml, line });

const STOPPED = { service: 'inactive', binary: 'declared' };

const CASES: readonly RuleCase[] = [
  {
    name: 'a rule with all and none',
    expect: 'ok',
    yaml: RULE,
    findings: [
      { finding: finding(STOPPED), fires: true },
      { finding: finding({ ...STOPPED, service: 'active' }), fires: false },
      { finding: finding({ ...STOPPED, binary: 'changed' }), fires: false },
      // Not known fulfils nothing, not even under `none`.
      { finding: finding({ service: 'inactive' }), fires: false },
      { finding: finding({ service: 'inactive', binary: null }), fires: false },
      { finding: finding({ service: 1, binary: 'declared' }), fires: false },
      { finding: finding(STOPPED, { result: 'unknown' }), fires: false },
      { finding: finding(STOPPED, { result: 'waived' }), fires: false },
      { finding: finding(STOPPED, { platform: 'windows' }), fires: false },
    ],
  },
  {
    name: 'no condition but the check: every fail of it',
    expect: 'ok',
    yaml: edit(
      `  all:
    - { field: service, op: in, value: [inactive, failed] }
  none:
    - { field: binary, op: eq, value: changed }
`,
      '',
    ),
    findings: [
      { finding: finding({}), fires: true },
      { finding: finding({}, { result: 'pass' }), fires: false },
    ],
  },
  {
    name: 'age_over counts from the time in the field, and a time ahead is no age',
    expect: 'ok',
    yaml: all('{ field: finding.failing_since, op: age_over, value: 3600 }'),
    findings: [
      { finding: finding(STOPPED), fires: true },
      { finding: finding(STOPPED, { failing_since: NOW - 3_600 }), fires: false },
      { finding: finding(STOPPED, { failing_since: NOW + 99_999 }), fires: false },
    ],
  },
  {
    name: 'ne of a fact that is absent does not hold',
    expect: 'ok',
    yaml: all('{ field: service, op: ne, value: active }'),
    findings: [
      { finding: finding(STOPPED), fires: true },
      { finding: finding({ binary: 'declared' }), fires: false },
    ],
  },
  {
    name: 'exists speaks of absent facts too',
    expect: 'ok',
    yaml: all('{ field: signatures_hours, op: exists, value: false }'),
    findings: [
      { finding: finding(STOPPED), fires: true },
      { finding: finding({ ...STOPPED, signatures_hours: null }), fires: true },
      { finding: finding({ ...STOPPED, signatures_hours: 4 }), fires: false },
    ],
  },
  {
    name: 'numbers: gt is above, gte at or above',
    expect: 'ok',
    yaml: all('{ field: signatures_hours, op: gte, value: 72 }'),
    findings: [
      { finding: finding({ ...STOPPED, signatures_hours: 72 }), fires: true },
      { finding: finding({ ...STOPPED, signatures_hours: 71 }), fires: false },
      { finding: finding({ ...STOPPED, signatures_hours: '80' }), fires: false },
    ],
  },
  {
    name: 'matches looks anywhere in the text',
    expect: 'ok',
    yaml: all("{ field: service, op: matches, value: '^(in)?activ' }"),
    findings: [
      { finding: finding(STOPPED), fires: true },
      { finding: finding({ ...STOPPED, service: 'failed' }), fires: false },
    ],
  },
  {
    name: 'an alert in place of a runbook',
    expect: 'ok',
    yaml: edit('runbook: RB-APP-AV-001\nparams: {}', 'alert: people decide'),
    findings: [{ finding: finding(STOPPED), fires: true }],
  },
  refused('an unknown field of the file', 21, edit('source: site', 'source: site\nsauce: site')),
  refused('no platform', 1, edit('platform: appliance\n', '')),
  refused('another platform than there are', 5, edit('platform: appliance', 'platform: nixos')),
  refused('an unknown check', 7, edit('check: av_edr', 'check: av-edr-old')),
  refused('a fact that the check does not record', 9, edit('field: service,', 'field: servise,')),
  refused('a value that the fact never has', 9, edit('[inactive, failed]', '[inactive, fialed]')),
  refused('a text where a number belongs', 9, all('{ field: signatures_hours, op: gt, value: "72" }')),
  refused('an operator for another type', 9, all('{ field: service, op: gt, value: 72 }')),
  refused('an unknown operator', 9, all('{ field: service, op: equals, value: active }')),
  refused('a pattern that only backtracking can match', 9, all("{ field: service, op: matches, value: '(a)\\1' }")),
  refused('a pattern with look-ahead', 9, all("{ field: service, op: matches, value: 'a(?=b)' }")),
  refused('a pattern that repeats too much', 9, all("{ field: service, op: matches, value: '((a{100}){100}){100}' }")),
  refused('a flap limit that the cool-down makes unreachable', 16, edit('cooldown_s: 900', 'cooldown_s: 7200')),
  refused('neither runbook nor alert', 2, edit('runbook: RB-APP-AV-001\nparams: {}\n', '')),
  refused('a runbook for another platform', 12, edit('RB-APP-AV-001', 'RB-WIN-AV-001')),
  refused(
    'an empty list of conditions',
    8,
    edit('\n    - { field: service, op: in, value: [inactive, failed] }', ' []'),
  ),
  refused('more attempts than ever are made', 17, edit('max_attempts: 2', 'max_attempts: 4')),
  refused('the same key twice', 4, edit('version: 1', 'version: 1\nversion: 2')),
];

export function ruleVectors(): object {
  return { cases: CASES };
}
