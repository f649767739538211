// A real Central Command for tests: made in a temporary folder, served by its own process.
import { spawn, execFile, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createCentral } from '../../central/service/create-central.ts';
import type { PinnedRoot } from '../../agent/trust/root.ts';

const MAIN = fileURLToPath(new URL('../../central/main.ts', import.meta.url));
/** A start takes a second here, and many on a machine that is busy with other tests. */
const DEADLINE_MS = 90_000;

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TestCentral {
  readonly dir: string;
  readonly dataDir: string;
  readonly keysDir: string;
  readonly root: PinnedRoot;
  readonly caPem: string;
  readonly caPins: readonly string[];
  /** Runs a verb of the real command line; `--data` is added. */
  cli(...args: string[]): Promise<CliResult>;
  /** The same with --json, which must succeed. */
  json<T = Record<string, unknown>>(...args: string[]): Promise<T>;
  /** Starts `serve` and resolves when it listens. */
  serve(...args: string[]): Promise<RunningCentral>;
  remove(): Promise<void>;
}

export interface RunningCentral {
  readonly url: string;
  readonly process: ChildProcess;
  /** Everything that it logged so far. */
  log(): string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Makes a Central of partner `acme` with site `north`, served by nobody yet. */
export async function makeCentral(
  o: {
    persons?: string[];
    direct?: boolean;
    /** Where its folder is made. */
    parent?: string;
  } = {},
): Promise<TestCentral> {
  const dir = mkdtempSync(join(o.parent ?? tmpdir(), 'central-'));
  const [dataDir, keysDir] = [join(dir, 'data'), join(dir, 'keys')];
  const { root, caPins } = await createCentral({
    dataDir,
    keysDir,
    partnerId: 'acme',
    logDomain: 'acme.internal',
    direct: o.direct ?? false,
    persons: (o.persons ?? ['jane']).map((id) => ({ id, name: id })),
    now: Math.floor(Date.now() / 1_000),
  });
  const running = new Set<RunningCentral>();
  const cli = (...args: string[]) => run([...args, '--data', dataDir]);
  const json = async <T>(...args: string[]): Promise<T> => {
    const result = await cli(...args, '--json');
    if (result.code !== 0) throw new Error(`${args.join(' ')}: exit ${result.code}: ${result.stderr}`);
    return JSON.parse(result.stdout) as T;
  };
  await json('site', 'add', 'north', '--customer', 'clinic');
  return {
    dir,
    dataDir,
    keysDir,
    root,
    caPem: readFileSync(join(dataDir, 'keys', 'tls-ca.pem'), 'utf8'),
    caPins,
    cli,
    json,
    serve: async (...args) => {
      const server = await startServing(dataDir, args);
      running.add(server);
      return server;
    },
    remove: async () => {
      for (const server of running) await server.stop('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Runs `central-command` once. */
export function run(args: readonly string[]): Promise<CliResult> {
  return new Promise((done) => {
    execFile(process.execPath, [MAIN, ...args], { timeout: DEADLINE_MS }, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}

async function startServing(dataDir: string, args: readonly string[]): Promise<RunningCentral> {
  const child = spawn(
    process.execPath,
    [MAIN, 'serve', '--plain-keys', '--data', dataDir, '--listen', '127.0.0.1:0', '--json', ...args],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  const url = await new Promise<string>((done, fail) => {
    const timer = setTimeout(() => fail(new Error(`no listening line: ${log}`)), DEADLINE_MS);
    createInterface(child.stdout).once('line', (line) => {
      clearTimeout(timer);
      done((JSON.parse(line) as { listening: string }).listening);
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      fail(new Error(`serve ended with ${code}: ${log}`));
    });
  });
  return {
    url,
    process: child,
    log: () => log,
    stop: async (signal = 'SIGTERM') => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      await once(child, 'exit');
    },
  };
}
