// Runs the command line in this process with surroundings of the test's choice. For tests only.
import { join } from 'node:path';
import { fakeClock } from './fakes/fake-clock.ts';
import { fakeExec } from './fakes/fake-exec.ts';
import { fakeIds } from './fakes/fake-ids.ts';
import { NOW } from './trust-fixtures.ts';
import type { CliDeps } from '../../agent/cli/deps.ts';
import { runCli } from '../../agent/cli/program.ts';

export interface CliRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** stdout as JSON. */
  json<T = Record<string, unknown>>(): T;
}

export interface CliOptions {
  readonly tty?: boolean;
  readonly env?: Record<string, string>;
  readonly deps?: Partial<CliDeps>;
}

export async function cli(argv: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  let out = '';
  let err = '';
  const isTTY = options.tty === true;
  const clock = options.deps?.clock ?? fakeClock({ wallMs: NOW * 1_000 });
  const code = await runCli(argv, {
    stdout: { isTTY, write: (text) => void (out += text) },
    stderr: { isTTY, write: (text) => void (err += text) },
    env: options.env ?? {},
    clock,
    exec: fakeExec({}),
    ids: fakeIds(1, clock),
    build: { version: '0.1.0', nixosRevision: null },
    startDaemon: () => Promise.reject(new Error('this test starts no daemon')),
    stopSignal: () => AbortSignal.abort(),
    contentDir: join(import.meta.dirname, '../../runbooks'),
    loadChecks: () => {
      throw new Error('this test loads no checks');
    },
    ...options.deps,
  });
  return { code, out, err, json: <T>() => JSON.parse(out) as T };
}
