// Starts a daemon in a month that leaps, answers for its machines, and kills it where it is told to.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { DAEMON_FLAGS } from '../../../tools/install-tree.ts';
import { livesByFile } from '../day/wall-file.ts';
import type { AskMachine, FromMonthDaemon, MachineSays, MonthClocks, ToMonthDaemon } from './month-protocol.ts';

const PROGRAM = join(import.meta.dirname, '../../fixtures/programs/daemon-in-a-month.ts');
/** As the unit starts it. */
const NODE_OPTIONS = ['--disable-sigusr1', '--max-semi-space-size=1', ...DAEMON_FLAGS];
const MAX_KEPT_LINES = 200;

/** When the process is killed: before the machine does what it is asked, after it did and before it answered, or after it answered. */
export type Cut = 'before' | 'unanswered' | 'after';

export interface MonthDaemonOptions {
  readonly config: string;
  readonly walls: Pick<MonthClocks, 'ownWall' | 'centralWall'>;
  readonly wallMs: number;
  readonly answer: (ask: AskMachine) => MachineSays;
  /** Asked for each script; null where it lives on. */
  readonly cut: (ask: AskMachine) => Cut | null;
}

export interface MonthDaemon {
  start(): Promise<void>;
  /** Lets `seconds` pass, whether the process runs or not, then measures its memory. Ends early where it was killed: false. */
  live(seconds: number, measures?: boolean): Promise<boolean>;
  stepClock(ms: number): void;
  /** kill -9 after so many real milliseconds, unless it was ended before. */
  killAfter(ms: number): void;
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  /** The boot clock begins anew, as after a power cut; for a process that does not run. */
  reboot(bootId: string): void;
  readonly isAlive: () => boolean;
  /** True time, Unix milliseconds. */
  readonly wallMs: () => number;
  readonly stepMs: () => number;
  /** Resident bytes of the present process, each time it was measured. */
  readonly rss: () => readonly number[];
  /** When it was killed, by the clock of the month in milliseconds, in order. */
  readonly kills: () => readonly number[];
  /** Ends that nobody asked for, with the last lines of the log. */
  readonly defects: readonly string[];
  readonly lines: () => readonly string[];
}

const FIRST_BOOT_MS = 100_000;

export function createMonthDaemon(o: MonthDaemonOptions): MonthDaemon {
  let clocks: MonthClocks = {
    ...o.walls,
    ...{ wallMs: o.wallMs, stepMs: 0, bootMs: FIRST_BOOT_MS, bootId: '5f0c6d1a-3b1e-4c55-9a06-6d1c1d2f3e4a' },
  };
  let child: ChildProcess | null = null;
  let asked: 'SIGKILL' | 'SIGTERM' | null = null;
  let rss: number[] = [];
  const kills: number[] = [];
  let lines: string[] = [];
  const defects: string[] = [];
  const send = (message: ToMonthDaemon): void => void child?.send(message, () => undefined);
  const pass = (seconds: number): void => {
    const ms = seconds * 1_000;
    clocks = { ...clocks, wallMs: clocks.wallMs + ms, bootMs: clocks.bootMs + ms };
  };
  const kill = (): void => {
    if (child === null || asked !== null) return;
    asked = 'SIGKILL';
    kills.push(clocks.wallMs);
    child.kill('SIGKILL');
  };

  function onAsk(id: number, ask: AskMachine): void {
    // What it had sent before it was killed is not taken any more.
    if (asked === 'SIGKILL') return;
    const moveBy = ask.atMs - clocks.wallMs;
    clocks = { ...clocks, wallMs: ask.atMs, bootMs: clocks.bootMs + moveBy };
    const cut = o.cut(ask);
    if (cut === 'before') return kill();
    const says = o.answer(ask);
    if (cut === 'unanswered') return kill();
    send({ kind: 'says', id, says });
    if (cut === 'after') kill();
  }

  /** True where it lived as long as it was to. */
  const lived = (process: ChildProcess): Promise<boolean> =>
    new Promise((resolve) => {
      const onMessage = (message: FromMonthDaemon): void => {
        if (message.kind === 'ask') return onAsk(message.id, message.ask);
        clocks = { ...clocks, wallMs: message.wallMs, bootMs: message.bootMs };
        if (message.rss !== null) rss.push(message.rss);
        over(true);
      };
      const onExit = (): void => over(false);
      const over = (as: boolean): void => {
        process.off('message', onMessage);
        process.off('exit', onExit);
        resolve(as);
      };
      process.on('message', onMessage);
      process.on('exit', onExit);
    });

  return {
    isAlive: () => child !== null,
    wallMs: () => clocks.wallMs,
    stepMs: () => clocks.stepMs,
    rss: () => rss,
    kills: () => kills,
    defects,
    lines: () => lines,
    killAfter: (ms) => void setTimeout(kill, ms),
    async start() {
      [asked, rss] = [null, []];
      const started = fork(PROGRAM, [o.config, JSON.stringify(clocks)], {
        execArgv: NODE_OPTIONS,
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        env: {
          ...process.env,
          ...livesByFile(clocks.ownWall),
          NODE_COMPILE_CACHE: join(dirname(o.config), 'compiled'),
        },
      });
      child = started;
      const keep = (text: string): void => {
        lines = [...lines, ...text.split('\n').filter((line) => line !== '')].slice(-MAX_KEPT_LINES);
        if (/"msg":"defect"|"code":"internal"/.test(text)) defects.push(text);
      };
      for (const stream of [started.stdout, started.stderr]) stream?.setEncoding('utf8').on('data', keep);
      started.once('exit', (code, signal) => {
        if (asked === null) defects.push(`ended by itself with ${code ?? signal}: ${lines.slice(-10).join('\n')}`);
        if (child === started) child = null;
      });
      await lived(started);
    },
    async live(seconds, measures = false) {
      const untilMs = clocks.wallMs + seconds * 1_000;
      if (child === null) {
        pass(seconds);
        return true;
      }
      send({ kind: 'live', seconds, measures });
      if (await lived(child)) return true;
      pass(Math.max(0, (untilMs - clocks.wallMs) / 1_000));
      return false;
    },
    stepClock(ms) {
      clocks = { ...clocks, stepMs: ms };
      send({ kind: 'step', ms });
    },
    reboot(bootId) {
      clocks = { ...clocks, bootId, bootMs: FIRST_BOOT_MS };
    },
    async end(signal) {
      if (child === null) return;
      const gone = once(child, 'exit');
      if (signal === 'SIGKILL') kill();
      else {
        asked = signal;
        send({ kind: 'stop' });
      }
      await gone;
    },
  };
}
