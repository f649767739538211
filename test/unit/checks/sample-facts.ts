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
export const BINARY_SHA256 = 'ba'.repeat(32);
export const REPOSITORY_ID = '1d'.repeat(32);

const HOUR_S = 3_600;
/** A job that ended well half a day ago. */
export const PROVEN = {
  outcome: 'proven',
  reason: null,
  subject: REPOSITORY_ID,
  started_at: READ_AT - 13 * HOUR_S,
  finished_at: READ_AT - 12 * HOUR_S,
} as const;
export const CLOSURE = `/nix/store/${'0'.repeat(32)}-nixos-system-clinic-26.05`;

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
    egressRefresh: 'current',
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
    certificate: { notBefore: READ_AT - 12 * HOUR_S, notAfter: READ_AT + 12 * HOUR_S },
  },
  av_edr: {
    loadState: 'loaded',
    activeState: 'active',
    restarts: { count: 0, startedAt: READ_AT - 40 * HOUR_S },
    binarySha256: BINARY_SHA256,
    running: 'declared',
    signatures: { builtAt: READ_AT - 6 * HOUR_S, version: 27_900, signatures: 2_000_000 },
    scan: { endedAt: READ_AT - 30 * HOUR_S, succeeded: true },
    exclusions: ['ExcludePath ^/proc/', 'ExcludePath ^/sys/'],
  },
  backup: {
    repository: 'open',
    passwordFileExposed: false,
    repositoryId: REPOSITORY_ID,
    snapshots: 14,
    newestAt: READ_AT - 5 * HOUR_S,
    locks: [],
    integrity: {
      conclusive: { ...PROVEN, counts: { read_data_percent: 100 } },
      last: { outcome: 'proven', reason: null },
    },
    restore: {
      conclusive: { ...PROVEN, counts: { listed: 7, restored: 7, bytes: 9_000, identical: 5, different: 0 } },
      last: { outcome: 'proven', reason: null },
    },
  },
  encryption: {
    volumes: [
      { mountPoints: ['/'], use: 'mounted', protection: 'luks', headers: ['sda2'] },
      { mountPoints: ['/boot'], use: 'mounted', protection: 'clear', headers: [] },
      { mountPoints: [], use: 'swap', protection: 'other_crypt', headers: [] },
    ],
    headers: [
      {
        device: 'sda2',
        header: { version: 2, cipher: 'aes-xts-plain64', keyBits: 512, keySlots: 2, tpm2: true, recoverySlots: 1 },
      },
    ],
  },
  logging: {
    storage: 'persistent',
    usedMib: 120,
    journald: 'active',
    forwarder: null,
    forwarderRestarts: null,
    suppressed: 0,
    canary: { at: READ_AT - 300, outcome: 'seen', latencyMs: 24, expected: 95, missing: 0 },
  },
  patching: {
    system: 'nixos',
    runningClosure: CLOSURE,
    runningSha256: 'cd'.repeat(32),
    bootedSha256: 'cd'.repeat(32),
    generation: 42,
    generationCreatedAt: READ_AT - 3 * 86_400,
    rebootPending: false,
    rebootPendingSince: null,
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
/** The shipped appliance baseline with the digests that it leaves open; `edit` changes its text. */
export function baseline(edit: (text: string) => string = (text) => text): LoadedBaseline {
  const settled = yaml
    .replace('sha256: none', `sha256: ${TABLE_SHA256}`)
    .replace('closure: none', `closure: ${CLOSURE}`)
    .replace('binary_sha256: none', `binary_sha256: ${BINARY_SHA256}`);
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
