// A healing rule as text, and the parts of a runbook that a rule is held against. For tests only.
import type { Runbook } from '../../agent/execution/runbook.ts';

const WHEN = `  check: av_edr
  all:
    - { field: service, op: in, value: [inactive, failed] }
  none:
    - { field: binary, op: eq, value: changed }`;

export interface RuleEdits {
  readonly id?: string;
  readonly version?: number;
  readonly priority?: number;
  readonly source?: string;
  readonly learnt_from?: string;
  readonly cooldown_s?: number;
  readonly params?: string;
  /** The lines below `when:`. */
  readonly when?: string;
}

/** YAML of a rule that is right unless the edits are not. */
export function ruleText(edits: RuleEdits): string {
  return `schema: compliance-agent/rule/v1
id: ${edits.id ?? 'av-stopped'}
version: ${edits.version ?? 1}
title: Start the scanner again
platform: appliance
when:
${edits.when ?? WHEN}
runbook: RB-APP-AV-001
params: ${edits.params ?? '{}'}
severity: high
priority: ${edits.priority ?? 100}
cooldown_s: ${edits.cooldown_s ?? 900}
max_attempts: 2
controls:
  - { map: hipaa-2013, cite: 164.308(a)(5)(ii)(B) }
source: ${edits.source ?? 'site'}
${edits.learnt_from === undefined ? '' : `learnt_from: ${edits.learnt_from}\n`}`;
}

/** What `whyNotUsable` looks at of a runbook that takes four params. */
export function runbookOf(edits: object): Runbook {
  return {
    ...{ id: 'RB-APP-AV-001', platform: 'appliance', check: 'av_edr', cooldown_s: 300, max_attempts: 3 },
    remediate: { by: 'verb', verb: 'restart-unit', arguments: [] },
    params: {
      tries: { type: 'integer', min: 1, max: 3, default: 1, why: 'x' },
      quick: { type: 'boolean', default: false, why: 'x' },
      mode: { type: 'choice', values: ['a', 'b'], default: 'a', why: 'x' },
      units: { type: 'names', max: 2, default: [], why: 'x' },
    },
    ...edits,
  } as unknown as Runbook;
}
