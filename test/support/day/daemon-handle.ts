// Starts a daemon on simulated time and lets its time pass. Knows how each of its processes ended.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { DayClocks, FromDaemon, ToDaemon, ToolRun } from './daemon-protocol.ts';
import { livesByFile } from './wall-file.ts';
import { DAEMON_FLAGS } from '../../../tools/install-tree.ts';

const PROGRAM = join(import.meta.dirname, '../../fixtures/programs/daemon-on-simulated-time.ts');
/** As the unit starts it. */
const NODE_OPTIONS = ['--disable-sigusr1', '--max-semi-space-size=1', ...DAEMON_FLAGS];
/** Of log lines that are no JSON; for messages. */
const MAX_KEPT = 50;

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface Ending {
  readonly code: number | string;
  /** What was asked of it: null where it ended by itself. */
  readonly asked: NodeJS.Signals | null;
}

export interface DaemonHandle {
  start(): Promise<void>;
  /** Lets `seconds` pass, whether the process runs or not. */
  live(seconds: number): Promise<void>;
  stepClock(ms: number): void;
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  readonly pid: () => number | null;
  /** True time, Unix milliseconds. */
  readonly wallMs: () => number;
  /** Called with each line of its log. */
  onLine: (line: LogLine) => void;
  readonly endings: Ending[];
  readonly toolRuns: ToolRun[];
  /** Resident bytes of the present process, at each call of `live`. */
  readonly rss: () => readonly number[];
  readonly otherOutput: string[];
}

export function createDaemonHandle(o: {
  readonly config: string;
  readonly tools: string;
  readonly walls: Pick<DayClocks, 'ownWall' | 'centralWall'>;
  readonly wallMs: number;
}): DaemonHandle {
  let clocks: DayClocks = {
    ...o.walls,
    wallMs: o.wallMs,
    stepMs: 0,
    bootMs: 100_000,
    bootId: '5f0c6d1a-3b1e-4c55-9a06-6d1c1d2f3e4a',
  };
  let child: ChildProcess | null = null;
  let asked: NodeJS.Signals | null = null;
  let rss: number[] = [];
  const send = (message: ToDaemon): void => void child?.send(message, () => undefined);

  const handle: DaemonHandle = {
    pid: () => child?.pid ?? null,
    wallMs: () => clocks.wallMs,
    onLine: () => undefined,
    endings: [],
    toolRuns: [],
    rss: () => rss,
    otherOutput: [],
    async start() {
      asked = null;
      rss = [];
      const started = fork(PROGRAM, [o.config, o.tools, JSON.stringify(clocks)], {
        execArgv: NODE_OPTIONS,
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        env: { ...process.env, ...livesByFile(clocks.ownWall) },
      });
      child = started;
      readLines(started, handle);
      started.once('exit', (code, signal) => {
        handle.endings.push({ code: code ?? signal ?? -1, asked });
        if (child === started) child = null;
      });
      await answer(started);
    },
    async live(seconds) {
      if (child === null) {
        // The machine runs on without it.
        const ms = seconds * 1_000;
        clocks = { ...clocks, wallMs: clocks.wallMs + ms, bootMs: clocks.bootMs + ms };
        return;
      }
      const current = child;
      send({ kind: 'live', seconds });
      const lived = await answer(current);
      if (lived === null) return;
      clocks = { ...clocks, wallMs: lived.wallMs, bootMs: lived.bootMs };
      if (lived.rss !== null) rss.push(lived.rss);
      handle.toolRuns.push(...lived.runs);
    },
    stepClock(ms) {
      clocks = { ...clocks, stepMs: ms };
      send({ kind: 'step', ms });
    },
    async end(signal) {
      if (child === null) return;
      const ending = child;
      asked = signal;
      const gone = once(ending, 'close');
      if (signal === 'SIGKILL') ending.kill(signal);
      else send({ kind: 'stop' });
      await gone;
    },
  };
  return handle;
}

/** Its next message, or null where it ended instead. */
function answer(child: ChildProcess): Promise<FromDaemon | null> {
  return new Promise((resolve) => {
    const done = (message: FromDaemon | null): void => {
      child.off('message', done);
      child.off('exit', onExit);
      resolve(message);
    };
    const onExit = (): void => done(null);
    child.on('message', done);
    child.on('exit', onExit);
  });
}

function readLines(child: ChildProcess, handle: DaemonHandle): void {
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('{')) handle.onLine(JSON.parse(line) as LogLine);
      else handle.otherOutput.push(line);
    }
    handle.otherOutput.splice(0, handle.otherOutput.length - MAX_KEPT);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    handle.otherOutput.push(text);
  });
}
