// A network namespace of its own, in which a test may load rules and listen without touching the machine.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createExec } from '../../agent/system/exec.ts';
import type { Exec } from '../../agent/system/ports.ts';

/** Why there can be none here, or null. */
export function namespaceProblem(...tools: readonly string[]): string | null {
  if (process.getuid?.() !== 0) return 'needs root';
  for (const tool of ['unshare', 'nsenter', 'ip', ...tools]) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) return `needs ${tool}`;
  }
  const tried = spawnSync('unshare', ['-n', 'true']);
  return tried.status === 0 ? null : 'this machine makes no network namespaces';
}

export interface NetworkNamespace {
  /** Before a program and its arguments: it runs inside, under the same process id. */
  readonly inside: readonly string[];
  /** A port whose programs run inside. */
  readonly exec: Exec;
  /** Runs a program inside and returns its stdout; throws where it fails. */
  run(argv: readonly [string, ...string[]], stdin?: string): string;
  /** Starts a program inside; it is ended with the namespace. */
  start(argv: readonly [string, ...string[]]): ChildProcess;
  close(): Promise<void>;
}

export async function openNetworkNamespace(): Promise<NetworkNamespace> {
  // `cat` waits on its stdin: it ends with this process, whatever happens.
  const holder = spawn('unshare', ['-n', 'sh', '-c', 'echo up; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  const inside = ['nsenter', '--target', String(holder.pid), '--net', '--'] as const;
  const started: ChildProcess[] = [];
  const outer = createExec();
  const run: NetworkNamespace['run'] = (argv, stdin) => {
    const result = spawnSync(inside[0], [...inside.slice(1), ...argv], { input: stdin ?? '', encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr}`);
    return result.stdout;
  };
  run(['ip', 'link', 'set', 'lo', 'up']);
  return {
    inside,
    exec: { run: (argv, options) => outer.run([...inside, ...argv], options) },
    run,
    start(argv) {
      const child = spawn(inside[0], [...inside.slice(1), ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
      started.push(child);
      return child;
    },
    async close() {
      for (const child of [...started, holder]) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    },
  };
}
