// A real restic repository in a folder of its own, and probes and jobs that look at it.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runJob } from '../../agent/facts/jobs.ts';
import type { JobName, JobResult } from '../../agent/facts/job-result.ts';
import type { ProbeContext } from '../../agent/facts/probe.ts';
import type { BackupWatch } from '../../agent/facts/watch.ts';
import { readFacts } from '../../agent/facts/read-facts.ts';
import type { FactSet } from '../../agent/facts/probes.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { createExec } from '../../agent/system/exec.ts';
import { probeContext } from './fixture-facts.ts';

/** Why there can be none here, or null. */
export function resticProblem(): string | null {
  return spawnSync('restic', ['version']).status === 0 ? null : 'needs restic';
}

export interface ResticLab {
  readonly dir: string;
  readonly stateDir: string;
  readonly source: string;
  readonly repository: string;
  readonly watch: BackupWatch;
  readonly environment: Record<string, string>;
  /** Runs restic with the lab's password and returns its stdout; throws where it fails. */
  restic(...words: string[]): string;
  facts(change?: Partial<BackupWatch>): Promise<FactSet>;
  job(name: JobName, change?: Partial<BackupWatch>): Promise<JobResult>;
  context(change?: Partial<BackupWatch>): ProbeContext;
  /** Puts another byte into the largest file of stored data, which keeps its size. */
  corrupt(): void;
  close(): void;
}

/** The files of the lab `dir`, whatever is in them; `source` is what it backs up. */
function labIn(dir: string, source: string): ResticLab {
  const path = (name: string): string => join(dir, name);
  const [stateDir, repository] = [path('state'), path('repository')];
  mkdirSync(path('tmp'));
  const watch: BackupWatch = {
    repositoryFile: path('repository-file'),
    passwordFile: path('password'),
    host: null,
    paths: [],
    readDataPercent: 100,
    restorePath: source,
  };
  writeFileSync(watch.repositoryFile, `${repository}\n`, { mode: 0o600 });
  writeFileSync(watch.passwordFile, 'correct horse battery staple\n', { mode: 0o600 });
  const environment = {
    PATH: process.env.PATH ?? '',
    RESTIC_REPOSITORY: repository,
    RESTIC_PASSWORD_FILE: watch.passwordFile,
  };
  const restic = (...words: string[]): string => {
    const result = spawnSync('restic', ['--no-cache', ...words], { env: environment, encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`restic ${words.join(' ')}: ${result.stderr}`);
    return result.stdout;
  };
  const context = (change: Partial<BackupWatch> = {}): ProbeContext =>
    probeContext({
      exec: createExec(),
      clock: systemClock,
      stateDir,
      tmpDir: path('tmp'),
      deadlineMs: 30_000,
      watch: { backup: { ...watch, ...change } },
    });
  return {
    dir,
    stateDir,
    source,
    repository,
    watch,
    environment,
    restic,
    context,
    facts: (change) => readFacts(['backup'], context(change)),
    async job(name, change) {
      const result = await runJob(name, context(change));
      if (result === null) throw new Error(`${name} has nothing to do`);
      return result;
    },
    corrupt() {
      const data = join(repository, 'data');
      const files = readdirSync(data, { recursive: true, encoding: 'utf8' })
        .map((name) => join(data, name))
        .filter((name) => statSync(name).isFile())
        .toSorted((a, b) => statSync(b).size - statSync(a).size);
      const [largest = ''] = files;
      const bytes = readFileSync(largest);
      bytes[1_000] = (bytes[1_000] ?? 0) ^ 0xff;
      rmSync(largest);
      writeFileSync(largest, bytes);
    },
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** An empty repository and three files to back up. */
export function openResticLab(): ResticLab {
  const dir = mkdtempSync(join(tmpdir(), 'restic-lab-'));
  const source = join(dir, 'source');
  mkdirSync(join(dir, 'state'));
  mkdirSync(join(source, 'deep er'), { recursive: true });
  writeFileSync(join(source, 'large'), randomBytes(3_000_000));
  writeFileSync(join(source, 'small [1]*'), 'small\n');
  writeFileSync(join(source, 'deep er', 'empty'), '');
  const lab = labIn(dir, source);
  lab.restic('init');
  return lab;
}

/** Its own copy of the repository and of what the jobs proved about it; the files to back up are the same ones. */
export function copyResticLab(from: ResticLab): ResticLab {
  const dir = mkdtempSync(join(tmpdir(), 'restic-lab-'));
  cpSync(from.repository, join(dir, 'repository'), { recursive: true });
  cpSync(from.stateDir, join(dir, 'state'), { recursive: true });
  return labIn(dir, from.source);
}
