// Judges facts of a live system by the shipped appliance baseline, changed where a test says so; each finding becomes a row of
// the table that the run prints.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseBaseline } from '../../agent/checks/baseline.ts';
import { judgeAll } from '../../agent/checks/judge-all.ts';
import { CHECKS } from '../../agent/checks/registry.ts';
import type { FactSet } from '../../agent/facts/probes.ts';
import type { Finding } from '../../agent/wire/schemas/finding.ts';
import { noteRow, type Part } from './check-rows.ts';

const YAML = readFileSync(join(import.meta.dirname, '../../runbooks/baselines/appliance.yaml'), 'utf8');

/** The finding of one check, as of the time at which its facts were read. `part` is what they were read from. */
export function judgeLive(
  check: string,
  facts: FactSet,
  part: Part,
  edit: (yaml: string) => string = (yaml) => yaml,
  situation?: string,
): Finding {
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
  noteRow(check, finding.result, part, situation);
  return finding;
}
