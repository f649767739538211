// Runs other programs: argv without a shell, a minimal environment, a deadline that ends the whole process group.
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import type { Exec, ExecOptions, ExecResult } from './ports.ts';

/** NixOS first, then where every other Linux keeps its tools. Never the caller's PATH. */
export const TOOL_PATH: readonly string[] = ['/run/current-system/sw/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Per stream; enough for every tool that a probe runs. */
export const DEFAULT_MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

/** After the process has ended or was killed: how long pipes that a runaway descendant holds may still be read. */
const DRAIN_MS = 1_000;

type Status = ExecResult['status'];

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group is already gone: that is what was wanted.
  }
}

function statusOfSpawnError(error: NodeJS.ErrnoException): Status {
  return error.code === 'ENOENT' || error.code === 'ENOTDIR' ? 'not_found' : 'denied';
}

/** Collects up to `max` bytes and says when there were more. */
function collect(stream: NodeJS.ReadableStream, max: number, onOverflow: () => void): Buffer[] {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    const room = max - size;
    if (room > 0) chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
    size += Math.min(chunk.length, room);
    if (chunk.length > room) onOverflow();
  });
  // A reset pipe is the end of its output; the exit status tells the rest.
  stream.on('error', () => undefined);
  return chunks;
}

function start(argv: readonly string[], env: Record<string, string>, cwd: string | undefined) {
  // `detached` makes the child the leader of its own session and group, so that one kill reaches its descendants.
  return spawn(argv[0] ?? '', argv.slice(1), {
    stdio: 'pipe',
    detached: true,
    shell: false,
    env,
    ...(cwd === undefined ? {} : { cwd }),
  });
}

function run(path: string, argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
  const startedAt = performance.now();
  const max = options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES;
  const env = { PATH: path, LC_ALL: 'C', ...options.env };
  return new Promise((resolve) => {
    const finishEarly = (status: Status, why: string): void =>
      resolve({
        status,
        code: null,
        stdout: Buffer.alloc(0),
        stderr: Buffer.from(why),
        durationMs: performance.now() - startedAt,
      });
    if (options.signal?.aborted === true) return finishEarly('aborted', '');
    let child: ChildProcessWithoutNullStreams;
    try {
      child = start(argv, env, options.cwd);
    } catch (error) {
      // Too long an argument list, a NUL byte, no more file descriptors: the system refused to start it.
      return finishEarly(statusOfSpawnError(error as NodeJS.ErrnoException), String((error as Error).message));
    }

    let cause: Status | null = null;
    let exit: { code: number | null } | null = null;
    let settled = false;
    let drain: NodeJS.Timeout | undefined;
    const stop = (status: Status): void => {
      cause ??= status;
      if (child.pid !== undefined) killGroup(child.pid);
      // SIGKILL cannot be ignored, but a process inside a stuck system call dies only later: do not wait for that.
      drain ??= setTimeout(settle, DRAIN_MS);
    };
    const deadline = setTimeout(() => stop('timeout'), options.deadlineMs);
    const onAbort = (): void => stop('aborted');
    options.signal?.addEventListener('abort', onAbort, { once: true });
    const stdout = collect(child.stdout, max, () => stop('too_much_output'));
    const stderr = collect(child.stderr, max, () => stop('too_much_output'));

    function settle(spawnError?: NodeJS.ErrnoException): void {
      if (settled) return;
      settled = true;
      clearTimeout(deadline);
      clearTimeout(drain);
      options.signal?.removeEventListener('abort', onAbort);
      child.stdin.destroy();
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      const status =
        cause ?? (spawnError ? statusOfSpawnError(spawnError) : exit?.code == null ? 'signalled' : 'exited');
      resolve({
        status,
        code: status === 'exited' ? (exit?.code ?? null) : null,
        stdout: Buffer.concat(stdout),
        stderr: spawnError ? Buffer.from(spawnError.message) : Buffer.concat(stderr),
        durationMs: performance.now() - startedAt,
      });
    }

    child.on('error', (error) => settle(error));
    child.on('exit', (code) => {
      exit = { code };
      clearTimeout(deadline);
      // What the program left running in its group is ended with it; otherwise it would hold the pipes open.
      if (child.pid !== undefined) killGroup(child.pid);
      drain ??= setTimeout(settle, DRAIN_MS);
    });
    child.on('close', () => settle());
    // A program that does not read its stdin is no error.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.stdin ?? '');
  });
}

/** @param path directories searched for programs without a slash; the fixed {@link TOOL_PATH} unless a test says otherwise. */
export function createExec(path: readonly string[] = TOOL_PATH): Exec {
  const joined = path.join(':');
  return { run: (argv, options) => run(joined, argv, options) };
}
