// A doctor's patient: an appliance that was given a stick and never ran, and `examine`, which runs the doctor on it with real
// sockets, processes and files. For tests only.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { doctor } from '../../agent/cli/doctor.ts';
import type { CliContext } from '../../agent/cli/deps.ts';
import type { Problem, StepId } from '../../agent/cli/doctor/verdict.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { createExec } from '../../agent/system/exec.ts';
import { createIds } from '../../agent/system/ids.ts';
import type { Clock, Exec } from '../../agent/system/ports.ts';
import type { TestCa } from './test-ca.ts';
import { makeTrust } from './trust-fixtures.ts';

export interface StepReport {
  readonly step: StepId;
  readonly state: 'ok' | 'problem' | 'not_looked_at';
  readonly sentence: string;
  readonly problems: readonly Problem[];
  readonly notes: readonly string[];
  readonly needs: readonly StepId[];
}

export interface Examination {
  readonly exit: number;
  readonly report: { readonly schema: string; readonly problems: number; readonly steps: readonly StepReport[] };
  step(id: StepId): StepReport;
  /** Codes of all problems, in order, without `daemon_not_running`: no daemon runs in these tests. */
  codes(): string[];
  /** What a person would read instead. */
  readonly text: string;
}

export interface ExamineOptions {
  readonly resolver?: string;
  readonly portalPort?: number;
  readonly env?: Record<string, string>;
  readonly clock?: Clock;
  readonly exec?: Exec;
  readonly asText?: boolean;
}

export interface Patient {
  readonly dir: string;
  readonly stateDir: string;
  readonly config: string;
  examine(o?: ExamineOptions): Promise<Examination>;
  remove(): void;
}

const trust = makeTrust();
/** Nothing listens there; a test that wants a portal names its port. */
const NO_PORTAL = 9;

/** A stick for the Central Command at `url`, whose certificate `ca` issues. */
export function makePatient(url: string, ca: TestCa): Patient {
  const dir = mkdtempSync(join(tmpdir(), 'patient-'));
  const [stateDir, provisionDir, config] = [join(dir, 'state'), join(dir, 'stick'), join(dir, 'config.yaml')];
  mkdirSync(stateDir, { mode: 0o750 });
  mkdirSync(provisionDir);
  const lines = [
    `central_url: ${url}`,
    `token: "${Buffer.alloc(32, 7).toString('base64')}"`,
    `root_sha256: ${trust.root.digest}`,
    `ca_pins: [${ca.caPin}, ${'f'.repeat(64)}]`,
    '',
  ];
  writeFileSync(join(provisionDir, 'clinic.yaml'), lines.join('\n'), { mode: 0o600 });
  writeFileSync(join(provisionDir, 'root.json'), `${trust.rootLine}\n`);
  writeFileSync(join(provisionDir, 'ca.pem'), ca.caPem);
  writeFileSync(config, `mode: direct\nstate_dir: ${stateDir}\nprovision_dir: ${provisionDir}\n`);
  return {
    dir,
    stateDir,
    config,
    examine: (o = {}) => examine(config, o),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** Runs the doctor with a configuration file. */
export async function examine(configPath: string, o: ExamineOptions = {}): Promise<Examination> {
  let out = '';
  const clock = o.clock ?? systemClock;
  const context = {
    stdout: { isTTY: false, write: (text: string) => void (out += text) },
    stderr: { isTTY: false, write: () => undefined },
    env: o.env ?? {},
    clock,
    exec: o.exec ?? createExec(),
    ids: createIds(clock),
    build: { version: '0.1.0', nixosRevision: null },
    json: o.asText !== true,
    configPath,
    stateDir: null,
  } as unknown as CliContext;
  const exit = await doctor(
    context,
    o.resolver === undefined ? {} : { resolver: o.resolver },
    o.portalPort ?? NO_PORTAL,
  );
  const report = (
    o.asText === true ? { schema: '', problems: 0, steps: [] } : JSON.parse(out)
  ) as Examination['report'];
  return {
    exit,
    report,
    text: out,
    step: (id) => report.steps.find((one) => one.step === id)!,
    codes: () =>
      report.steps.flatMap((one) => one.problems.map((p) => p.code)).filter((code) => code !== 'daemon_not_running'),
  };
}
