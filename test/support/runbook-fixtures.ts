// A runbook with its check for a machine that exists in memory (test/lab/simulated-site.ts). For tests only.
import * as v from 'valibot';
import { stringify } from 'yaml';
import { conclude, judged } from '../../agent/checks/check.ts';
import { windowsCheck, type WindowsCheck } from '../../agent/checks/windows/windows-check.ts';
import type { WindowsLoaded } from '../../agent/execution/run-request.ts';
import { parseRunbook, SCRIPT_FILES, type WindowsRunbook } from '../../agent/execution/runbook.ts';
import type { Target } from '../../agent/targets/target.ts';
import { packRunbook } from '../../agent/wire/runbook-package.ts';
import type { SimulatedMachine } from '../lab/simulated-site.ts';

/** What `runbook.yaml` says unless a test says otherwise. */
export const RUNBOOK_FILE = {
  schema: 'compliance-agent/runbook/v1',
  id: 'RB-WIN-TEST-001',
  version: 1,
  title: 'Guard that has to be on',
  platform: 'windows',
  check: 'windows_test',
  applies_if: { role: ['member_server', 'domain_controller'], os_build: { min: 14_393 } },
  reads: ['the guard'],
  changes: ['the guard'],
  risk: 'low',
  disruptive: false,
  reboot: 'no',
  dry_run: 'full',
  preconditions: [{ fact: 'maintained', is: false, why: 'somebody is at work on the machine' }],
  params: {
    least_level: { type: 'integer', min: 0, max: 10, default: 3, why: 'below it nothing is guarded' },
    strict: { type: 'boolean', default: false, why: 'also looks at the second guard' },
    mode: { type: 'choice', values: ['quick', 'whole'], default: 'quick', why: 'how much is looked at' },
    ignored: { type: 'names', max: 4, default: [], why: 'what is left out' },
  },
  budget: { cpu_s: 5, output_kib: 64 },
  detect: { by: 'script' },
  remediate: { by: 'script' },
  verify: { by: 'script', within_s: 60, stable_for_s: 0 },
  rollback: { how: 'script', snapshot: 'facts' },
  timeout_s: 30,
  cooldown_s: 300,
  max_attempts: 3,
  window: 'any',
  controls: [
    { map: 'hipaa-2013', cite: '164.312(b)', role: 'supporting' },
    { map: 'hipaa-2013', cite: '164.308(a)(5)(ii)(B)', role: 'primary' },
  ],
} as const;

const SCRIPT = 'param([string]$InputJson)\nSet-StrictMode -Version Latest\n';

/** Text of a runbook.yaml with some keys changed; `undefined` takes a key out. */
export function runbookText(changes: Readonly<Record<string, unknown>> = {}): string {
  const file: Record<string, unknown> = { ...RUNBOOK_FILE, ...changes };
  return stringify(Object.fromEntries(Object.entries(file).filter(([, value]) => value !== undefined)));
}

export function loadedRunbook(changes: Readonly<Record<string, unknown>> = {}): WindowsLoaded {
  const text = runbookText(changes);
  const runbook = parseRunbook(Buffer.from(text), 'runbook.yaml') as WindowsRunbook;
  const scripts = new Map(SCRIPT_FILES.map((name) => [name, `${SCRIPT}# ${name}\n`] as const));
  const files = [...scripts].map(([path, script]) => ({ path, text: script }));
  return { runbook, ...packRunbook([{ path: 'runbook.yaml', text }, ...files]), scripts };
}

const facts = v.strictObject({
  host: v.strictObject({ role: v.string(), build: v.number() }),
  guard_on: v.boolean(),
  level: v.number(),
  maintained: v.boolean(),
});

/** Passes with the guard on and its level as the params ask. */
export const TEST_CHECK: WindowsCheck = windowsCheck({
  id: 'windows_test',
  runbook: 'RB-WIN-TEST-001',
  version: 1,
  title: 'Guard',
  cadenceS: 3_600,
  factsSchema: facts,
  factKeys: { guard_on: judged('boolean'), level: judged('integer') },
  judge({ facts: seen, params }) {
    const least = Number(params['least_level']);
    return conclude({
      problems: [
        ...(seen.guard_on ? [] : [{ sentence: 'the guard is off', remedy: 'switch it on', severity: 'high' as const }]),
        ...(seen.level >= least
          ? []
          : [{ sentence: `the level is ${seen.level}`, remedy: 'raise it', severity: 'medium' as const }]),
      ],
      unknowns: [],
      passSentence: `the guard is on with level ${seen.level}`,
      facts: { guard_on: seen.guard_on, level: seen.level },
    });
  },
});

export function machine(changes: Partial<SimulatedMachine> = {}): SimulatedMachine {
  return {
    settings: { guard_on: true, level: 5, maintained: false },
    role: 'member_server',
    build: 20_348,
    wanted: { guard_on: true, level: 5 },
    ...changes,
  };
}

/** The same machine with its guard off. */
export const drifted = (changes: Partial<SimulatedMachine> = {}): SimulatedMachine =>
  machine({ settings: { guard_on: false, level: 1, maintained: false }, ...changes });

export function testTarget(id = 'srv-1', changes: Partial<Target> = {}): Target {
  return {
    id,
    hostname: `${id}.example`,
    address: '192.0.2.10',
    port: 5_986,
    scheme: 'https',
    auth: 'ntlm',
    principal: 'agent',
    domain: null,
    credentialId: 'cred-1',
    credentialVersion: 1,
    tls: { trust: 'spki', sha256: 'cd'.repeat(32) },
    identity: { spki: 'cd'.repeat(32) },
    role: 'member-server',
    secret: Buffer.from('not a secret'),
    ...changes,
  };
}

/** A script that only reads its input, with limits that no test comes near: for tests of the way to a host. */
export const ANY_RUN = {
  script: 'param([string]$InputJson)\n',
  params: { phase: 'detect', params: {}, snapshot: null },
  cpuMs: 60_000,
  timeoutMs: 60_000,
  outputCapBytes: 65_536,
} as const;
