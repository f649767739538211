// Facts as probes read them on a healthy appliance, and a baseline that they fit; tests change one thing at a time.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseBaseline, type LoadedBaseline } from '../../../agent/checks/baseline.ts';
import { judgeAll, type JudgeAllInput } from '../../../agent/checks/judge-all.ts';
import { parseControlMap, type ControlMap } from '../../../agent/checks/controls.ts';
import { CHECKS } from '../../../agent/checks/registry.ts';
import type { Fact, UnreadableReason } from '../../../agent/facts/probe.ts';
import type { FactSet, FactValues, ProbeName } from '../../../agent/facts/probes.ts';
import type { Finding } from '../../../agent/wire/schemas/finding.ts';
import { READ_AT } from '../../support/fixture-facts.ts';

export const RUNBOOKS = join(import.meta.dirname, '../../../runbooks');
export const NOW = READ_AT + 5;
export const TABLE_SHA256 = 'ab'.repeat(32);

export const HEALTHY: FactValues = {
  clock: { source: 'chrony', synchronized: true, offsetMs: 3, stratum: 3, skewMs: -200 },
  disk: {
    state: { fsType: 'ext4', totalMib: 16_000, freeMib: 9_000, usedPercent: 41, inodesUsedPercent: 3, readOnly: false },
    root: {
      fsType: 'btrfs',
      totalMib: 16_000,
      freeMib: 9_000,
      usedPercent: 41,
      inodesUsedPercent: null,
      readOnly: false,
    },
  },
  firewall: {
    tables: [{ family: 'inet', name: 'compliance-agent-egress', sha256: TABLE_SHA256 }],
    policies: { input: 'drop', output: 'drop', forward: 'drop' },
  },
  listeners: { listeners: [{ protocol: 'udp', scope: 'loopback', port: 53 }] },
  self: {
    listeners: [],
    runsAsRoot: false,
    noNewPrivileges: true,
    seccompFilter: true,
    hasCapabilities: false,
    coreDumps: false,
    debuggerSignal: false,
    keyFiles: 2,
    keyFilesMissing: 0,
    keyFilesExposed: 0,
    database: 'ok',
  },
};

export function read<N extends ProbeName>(probe: N, value: FactValues[N], readAt = READ_AT): Fact<FactValues[N]> {
  return { status: 'read', probe, value, readAt };
}

export function unreadable(probe: ProbeName, reason: UnreadableReason): Fact<never> {
  return { status: 'unreadable', probe, reason, detail: 'secret detail /home/somebody', readAt: READ_AT };
}

/** All facts of the healthy appliance, some of them changed. */
export function factSet(change: Partial<FactValues> = {}): FactSet {
  const values = { ...HEALTHY, ...change };
  return Object.fromEntries(
    Object.entries(values).map(([probe, value]) => [probe, read(probe as ProbeName, value as never)]),
  );
}

const yaml = readFileSync(join(RUNBOOKS, 'baselines/appliance.yaml'), 'utf8');
/** The shipped appliance baseline with a digest for its table; `edit` changes its text. */
export function baseline(edit: (text: string) => string = (text) => text): LoadedBaseline {
  const settled = yaml.replace('sha256: none', `sha256: ${TABLE_SHA256}`);
  return parseBaseline(Buffer.from(edit(settled)), 'appliance.yaml');
}

export function controlMaps(): ControlMap[] {
  return ['hipaa-2013', 'hipaa-nprm-2025'].map((id) => {
    const path = join(RUNBOOKS, `controls/${id}.yaml`);
    return parseControlMap(readFileSync(path), path);
  });
}

export function judgeInput(change: Partial<JudgeAllInput> = {}): JudgeAllInput {
  return {
    checks: CHECKS,
    facts: factSet(),
    baseline: baseline(),
    controls: controlMaps(),
    waivers: [],
    now: NOW,
    target: { id: 'appliance', role: 'appliance', os_build: null },
    baselineSigned: true,
    ...change,
  };
}

/** The finding of one check. */
export function findingOf(check: string, change: Partial<JudgeAllInput> = {}): Finding {
  const finding = judgeAll(judgeInput(change)).find((f) => f.check.id === check);
  if (finding === undefined) throw new Error(`no finding of ${check}`);
  return finding;
}
