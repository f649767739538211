// What choosing a rule costs: for one finding, with 100 to 10,000 rules of its own platform and check, and with as many for others.
import { indexRules, type RuleSubject } from '../agent/healing/rule-index.ts';
import { loadRules } from '../agent/healing/load-rules.ts';
import type { BenchRow } from './bench-row.ts';

const NOW = 1_800_000_000;
const SIZES = [100, 1_000, 10_000];
/** A finding for which every part of the rules below holds but the last. */
const SUBJECT: RuleSubject = {
  platform: 'appliance',
  check: 'av_edr',
  result: 'fail',
  severity: 'high',
  facts: { service: 'failed', binary: 'declared', running: 'nothing', signatures_hours: 12 },
  readAt: NOW - 60,
  failingSince: NOW - 3_600,
  role: 'appliance',
};

/** None of them fires, and each only for its regular expression: every rule is tried to its end, the worst case. */
function ruleText(n: number, own: boolean): string {
  const check = own ? 'av_edr' : 'backup';
  const conditions = own
    ? [
        '{ field: service, op: in, value: [inactive, failed] }',
        '{ field: signatures_hours, op: lt, value: 100 }',
        `{ field: running, op: matches, value: '^no.*${n}$' }`,
      ]
    : ['{ field: repository, op: eq, value: open }'];
  return `schema: compliance-agent/rule/v1
id: rule-${n}
version: 1
title: Of the bench
platform: appliance
when:
  check: ${check}
  all:
${conditions.map((line) => `    - ${line}`).join('\n')}
alert: of the bench
severity: high
priority: ${n % 1_000}
cooldown_s: 900
max_attempts: 2
controls:
  - { map: hipaa-2013, cite: 164.308(a)(5)(ii)(B) }
source: site
`;
}

function percentiles(times: number[]): { p50: number; p99: number } {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

function decide(count: number, own: boolean, runs: number): { p50: number; p99: number; loadMs: number } {
  const sources = Array.from({ length: count }, (_, n) => ({
    place: `rule-${n}.yaml`,
    bytes: Buffer.from(ruleText(n, own)),
  }));
  const begin = performance.now();
  const { rules, refused } = loadRules(sources);
  if (refused[0] !== undefined) throw refused[0];
  const index = indexRules(rules);
  const loadMs = performance.now() - begin;
  const times: number[] = [];
  for (let run = -runs; run < runs; run++) {
    const start = performance.now();
    if (index.match(SUBJECT, NOW) !== null) throw new Error('no rule of the bench fires');
    // The first half warms up.
    if (run >= 0) times.push((performance.now() - start) * 1_000);
  }
  return { ...percentiles(times), loadMs };
}

export function benchRules(o: { readonly smoke?: boolean } = {}): BenchRow[] {
  const rows: BenchRow[] = [];
  for (const count of o.smoke === true ? SIZES.slice(0, 1) : SIZES) {
    // The largest takes tens of milliseconds a decision.
    const runs = o.smoke === true ? 5 : Math.min(2_000, 2_000_000 / count);
    const size = count.toLocaleString('en');
    const row = (name: string, value: number, unit: string): void =>
      void rows.push({ name, value, unit, runs, spread: 0 });
    const own = decide(count, true, runs);
    const others = decide(count, false, runs);
    row(`${size} rules for the finding's check, none fires: p50`, own.p50, 'µs');
    row(`${size} rules for the finding's check, none fires: p99`, own.p99, 'µs');
    row(`${size} rules for another check: p50`, others.p50, 'µs');
    row(`${size} rules for another check: p99`, others.p99, 'µs');
    rows.push({ name: `${size} rules: read and compile`, value: own.loadMs, unit: 'ms', runs: 1, spread: 0 });
  }
  return rows;
}
