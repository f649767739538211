// Real processes for the demo and for the tests that need a whole site: started, watched, ended by their pid.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Running {
  readonly pid: number;
  /** All output so far, stdout and stderr as they came. */
  output(): string;
  /** Sends `signal` and waits for the end; after `withinMs` it is SIGKILL. The exit code, or the signal's name. */
  end(signal: NodeJS.Signals, withinMs?: number): Promise<number | string>;
  /** Resolves when the process has ended by itself. */
  readonly ended: Promise<number | string>;
}

export interface StartOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Where the output goes beside memory. */
  readonly logFile?: string;
  /** Given on standard input, which is closed after it; none without. */
  readonly stdin?: string;
}

/** Nothing that was started here outlives this process, however it ends short of SIGKILL. */
const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Of one process; the newest part stays. */
const MAX_OUTPUT_CHARS = 4_000_000;

export function start(argv: readonly [string, ...string[]], options: StartOptions): Running {
  const child = spawn(argv[0], argv.slice(1), {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  child.stdin?.end(options.stdin);
  children.add(child);
  const file = options.logFile === undefined ? null : createWriteStream(options.logFile, { flags: 'a' });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-MAX_OUTPUT_CHARS);
      file?.write(text);
    });
  }
  const ended = endOf(child).finally(() => {
    children.delete(child);
    file?.end();
  });
  ended.catch(() => undefined);
  return {
    get pid() {
      return child.pid ?? -1;
    },
    output: () => output,
    ended,
    async end(signal, withinMs = 12_000) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), withinMs);
      try {
        return await ended;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

async function endOf(child: ChildProcess): Promise<number | string> {
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return code ?? signal ?? -1;
}

export interface Finished {
  readonly code: number | string;
  readonly output: string;
}

/** Runs a command to its end. */
export async function run(argv: readonly [string, ...string[]], options: StartOptions): Promise<Finished> {
  const running = start(argv, options);
  return { code: await running.ended, output: running.output() };
}

/** Looks again and again until `look` gives something other than null. Throws with `what` and the last sight at the deadline. */
export async function until<T>(
  what: string,
  look: () => T | null | Promise<T | null>,
  withinMs: number,
  explain: () => string = () => '',
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen !== null) return seen;
    if (performance.now() > end) throw new Error(`${what}: not seen within ${withinMs / 1_000} s\n${explain()}`);
    await sleep(100);
  }
}
