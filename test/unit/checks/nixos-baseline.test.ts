// The baseline that an installer of NixOS starts from, judged on the facts of a healthy appliance and on each of its drifts.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseBaseline, type LoadedBaseline } from '../../../agent/checks/baseline.ts';
import { judgeAll } from '../../../agent/checks/judge-all.ts';
import { CHECKS } from '../../../agent/checks/registry.ts';
import type { FactValues } from '../../../agent/facts/probes.ts';
import type { NixosSystem } from '../../../agent/facts/nixos-system.ts';
import { BINARY_SHA256, CLOSURE, factSet, HEALTHY, judgeInput, RUNBOOKS, TABLE_SHA256 } from './sample-facts.ts';

const NIXOS_FW_SHA256 = 'cd'.repeat(32);
const PATH = join(RUNBOOKS, 'baselines/nixos-hipaa-v1.yaml');
const text = readFileSync(PATH, 'utf8');
const load = (yaml: string): LoadedBaseline => parseBaseline(Buffer.from(yaml), PATH);
/** As the installer writes it once the system is built. */
const settled = load(
  text
    .replace('compliance-agent-egress, sha256: none', `compliance-agent-egress, sha256: ${TABLE_SHA256}`)
    .replace('nixos-fw, sha256: none', `nixos-fw, sha256: ${NIXOS_FW_SHA256}`)
    .replace('closure: none', `closure: ${CLOSURE}`)
    .replace('binary_sha256: none', `binary_sha256: ${BINARY_SHA256}`),
);

const tables = [...HEALTHY.firewall.tables, { family: 'inet', name: 'nixos-fw', sha256: NIXOS_FW_SHA256 }];
const healthy: Partial<FactValues> = { firewall: { ...HEALTHY.firewall, tables } };
function resultsOf(baseline: LoadedBaseline, change: Partial<FactValues> = {}): Record<string, string> {
  const findings = judgeAll(judgeInput({ baseline, facts: factSet({ ...healthy, ...change }) }));
  return Object.fromEntries(findings.map(({ check, result }) => [check.id, result]));
}

describe('the baseline for NixOS', () => {
  it('passes a healthy appliance once its closure, its program and its rulesets are declared', () => {
    expect(resultsOf(settled)).toEqual(Object.fromEntries(CHECKS.map(({ id }) => [id, 'pass'])));
  });

  it('as it is shipped passes nothing that is not settled yet, and is unknown there', () => {
    const unsettled = { patching: 'unknown', firewall: 'unknown', av_edr: 'unknown' };
    expect(resultsOf(load(text))).toEqual({ ...resultsOf(settled), ...unsettled });
  });

  it.each<[string, string, Partial<FactValues>]>([
    ['the filter of NixOS is not loaded', 'firewall', { firewall: HEALTHY.firewall }],
    [
      'another closure runs',
      'patching',
      { patching: { ...(HEALTHY.patching as NixosSystem), runningClosure: `${CLOSURE}-x` } },
    ],
    [
      'the store fills its volume',
      'disk',
      { disk: { ...HEALTHY.disk, root: { ...HEALTHY.disk.root, freeMib: 2_047 } } },
    ],
    [
      'the store was excluded from scans with more',
      'av_edr',
      { av_edr: { ...HEALTHY.av_edr, exclusions: ['ExcludePath ^/nix/'] } },
    ],
  ])('%s: a fail', (_what, check, change) => {
    expect(resultsOf(settled, change)).toEqual({ ...resultsOf(settled), [check]: 'fail' });
  });

  it('explains every check and every threshold where it stands', () => {
    const lines = text.split('\n');
    const isExplained = (at: number): boolean => {
      // A comment above the line, or above the lines of the same mapping right before it.
      for (let n = at - 1; n > 0 && (lines[n] ?? '').trim() !== ''; n--) {
        if (lines[n]?.trim().startsWith('#')) return true;
        if (/^ {2}\w+:$/.test(lines[n] ?? '')) return lines[n - 1]?.trim().startsWith('#') === true;
      }
      return false;
    };
    const checks = Object.keys((parse(text) as { checks: object }).checks);
    expect(checks.sort()).toEqual(CHECKS.map(({ id }) => id).sort());
    const numbers = lines.flatMap((line, n) => (/^ {4,}.*\b\w+: \d+/.test(line) ? [n] : []));
    expect(numbers.length).toBeGreaterThan(20);
    expect(numbers.filter((n) => !isExplained(n)).map((n) => lines[n])).toEqual([]);
  });
});
