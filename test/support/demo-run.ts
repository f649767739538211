// `npm run demo` as somebody at a terminal has it: npm on the machine's own Node, the whole in one process group.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../tools/demo/process.ts';
import { REPO } from './demo-site.ts';

export interface DemoRun {
  /** An own folder for temporary files, in which the demo makes its folder. */
  readonly tmp: string;
  /** All output so far. */
  output(): string;
  /** Waits until the output matches; rejects with the output when it ends before that. */
  untilSaid(what: RegExp, withinMs: number): Promise<RegExpExecArray>;
  /** Process id of the demo's own process or one of its children, by a pattern of its command line. */
  pidOf(commandLine: RegExp): number | null;
  /** Ctrl-C at the terminal: the signal goes to the whole group. */
  interrupt(): void;
  /** Exit code of npm, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** Ends whatever is left and removes the folder. */
  remove(): Promise<void>;
}

/** The path of a shell outside npm: what npm puts first for its scripts is taken away again. */
export const pathOfTheMachine = (): string =>
  (process.env['PATH'] ?? '')
    .split(':')
    .filter((folder) => !/node_modules\/\.bin$|node-gyp-bin$/.test(folder))
    .join(':');

/** Environment of a shell outside npm, with an own folder for temporary files. */
export function machineEnv(tmp: string): NodeJS.ProcessEnv {
  const outside = Object.entries(process.env).filter(([name]) => !/^npm_|^VITEST|^NODE/.test(name));
  return { ...Object.fromEntries(outside), PATH: pathOfTheMachine(), TMPDIR: tmp, NO_COLOR: '1' };
}

export function startDemo(...args: readonly string[]): DemoRun {
  const tmp = mkdtempSync(join(tmpdir(), 'demo-run-'));
  const child = spawn('npm', ['run', 'demo', '--', ...args], {
    cwd: REPO,
    env: machineEnv(tmp),
    // A group of its own, as the shell makes one for each command.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const group = child.pid ?? 0;
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  let over = false;
  const ended = once(child, 'close').then(([code, signal]) => {
    over = true;
    return (code ?? signal ?? -1) as number | string;
  });
  const signalGroup = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-group, signal);
    } catch {
      // Nobody of the group is left.
    }
  };
  // Detached, so it would outlive this process.
  process.once('exit', () => signalGroup('SIGKILL'));
  return {
    tmp,
    output: () => output,
    untilSaid: (what, withinMs) =>
      until(
        `the demo says ${what.source}`,
        () => {
          const said = what.exec(output);
          if (said === null && over) throw new Error(`the demo ended without saying ${what.source}:\n${output}`);
          return said;
        },
        withinMs,
        () => output,
      ),
    pidOf: (commandLine) => membersOf(group).find(([, line]) => commandLine.test(line))?.[0] ?? null,
    interrupt: () => signalGroup('SIGINT'),
    ended,
    async remove() {
      signalGroup('SIGKILL');
      await ended;
      rmSync(tmp, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The program file that a process runs. */
export const executableOf = (pid: number): string => readlinkSync(join('/proc', String(pid), 'exe'));

/** Processes of a process group with their command lines, from /proc. */
function membersOf(group: number): [number, string][] {
  return readdirSync('/proc').flatMap((name): [number, string][] => {
    if (!/^[0-9]+$/.test(name)) return [];
    try {
      const stat = readFileSync(join('/proc', name, 'stat'), 'utf8');
      // Behind the name in brackets: state, parent, group (proc_pid_stat(5)).
      const own = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
      if (own !== group) return [];
      return [
        [
          Number(name),
          readFileSync(join('/proc', name, 'cmdline'), 'utf8')
            .replaceAll('\0', ' ')
            .trim(),
        ],
      ];
    } catch {
      // It ended while it was looked at.
      return [];
    }
  });
}
