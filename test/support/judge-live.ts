// Judges facts of a live system by the shipped appliance baseline, changed where a test says so.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseBaseline } from '../../agent/checks/baseline.ts';
import { judgeAll } from '../../agent/checks/judge-all.ts';
import { CHECKS } from '../../agent/checks/registry.ts';
import type { FactSet } from '../../agent/facts/probes.ts';
import type { Finding } from '../../agent/wire/schemas/finding.ts';

const YAML = readFileSync(join(import.meta.dirname, '../../runbooks/baselines/appliance.yaml'), 'utf8');

/** The finding of one check, as of the time at which its facts were read. */
export function judgeLive(check: string, facts: FactSet, edit: (yaml: string) => string = (yaml) => yaml): Finding {
  const times = Object.values(facts).map((fact) => fact.readAt);
  const finding = judgeAll({
    checks: CHECKS.filter((one) => one.id === check),
    facts,
    baseline: parseBaseline(Buffer.from(edit(YAML)), 'appliance.yaml'),
    controls: [],
    waivers: [],
    now: Math.max(...times),
    target: { id: 'appliance', role: 'appliance', os_build: null },
    baselineSigned: true,
  })[0];
  if (finding === undefined) throw new Error(`there is no check ${check}`);
  return finding;
}
