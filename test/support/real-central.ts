// The real `central-command` in processes of its own, in a temporary folder. For tests and benchmarks only.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const MAIN = resolve(import.meta.dirname, '../../central/main.ts');
const run = promisify(execFile);

export interface RealCentral {
  /** Root of everything; `data`, `keys` and sticks lie below. */
  readonly dir: string;
  readonly dataDir: string;
  readonly url: string;
  /** Runs a verb with `--json` and gives what it printed. */
  cli(...argv: string[]): Promise<unknown>;
  /** Writes a stick with a new token. @returns its folder */
  stick(site: string): Promise<string>;
  confirm(fingerprint: string, applianceId: string): Promise<void>;
  /** Stops the server (SIGTERM) and waits for its end. */
  stop(): Promise<void>;
  /** Starts the server again, on the same port. */
  start(): Promise<void>;
  /** Copies the server's folder as a backup does (server stopped), or puts such a copy back. */
  backup(): void;
  restore(): void;
  close(): Promise<void>;
}

/** Starts a new Central Command with one site `main-street` of partner `northern-it`. */
export async function startRealCentral(o: { site?: string } = {}): Promise<RealCentral> {
  const dir = mkdtempSync(join(tmpdir(), 'central-'));
  const dataDir = join(dir, 'data');
  const keysDir = join(dir, 'keys');
  const backupDir = join(dir, 'backup');
  let server: ChildProcess | null = null;
  let url = '';
  let sticks = 0;

  const cli = async (...argv: string[]): Promise<unknown> => {
    const { stdout } = await run(process.execPath, [MAIN, ...argv, '--data', dataDir, '--json'], {
      env: { ...process.env, NODE_NO_WARNINGS: '1' },
    });
    return JSON.parse(stdout);
  };

  const start = async (): Promise<void> => {
    const listen = url === '' ? '127.0.0.1:0' : url.replace('https://', '');
    const child = spawn(
      process.execPath,
      [MAIN, 'serve', '--data', dataDir, '--listen', listen, '--claim-interval', '1', '--log-level', 'warn', '--json'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    server = child;
    url = await new Promise<string>((done, fail) => {
      child.once('exit', (code) => fail(new Error(`central-command ended with ${code}`)));
      createInterface({ input: child.stdout }).once('line', (line) => {
        done((JSON.parse(line) as { listening: string }).listening);
      });
    });
  };

  const stop = async (): Promise<void> => {
    const child = server;
    server = null;
    if (child === null || child.exitCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGTERM');
    await ended;
  };

  await cli('init', '--keys', keysDir, '--partner', 'northern-it', '--person', 'alice', '--person', 'bob');
  await cli('site', 'add', o.site ?? 'main-street', '--customer', 'family-practice');
  await start();
  return {
    dir,
    dataDir,
    get url() {
      return url;
    },
    cli,
    async stick(site) {
      const to = join(dir, `stick-${++sticks}`);
      await cli('usb', 'write', to, '--site', site);
      return to;
    },
    async confirm(fingerprint, applianceId) {
      await cli('appliance', 'confirm', fingerprint, '--appliance-id', applianceId, '--keys', keysDir);
    },
    stop,
    start,
    backup: () => cpSync(dataDir, backupDir, { recursive: true }),
    restore() {
      rmSync(dataDir, { recursive: true });
      cpSync(backupDir, dataDir, { recursive: true });
    },
    async close() {
      await stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
