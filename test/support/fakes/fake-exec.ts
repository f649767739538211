// Programs that exist only in a table.
import type { Exec, ExecOptions, ExecResult } from '../../../agent/system/ports.ts';

/** What a program does. `hangs` waits for its deadline (which passes at once) or for the abort. */
export interface FakeProgram {
  readonly stdout?: string | Buffer;
  readonly stderr?: string | Buffer;
  readonly code?: number;
  readonly status?: ExecResult['status'];
  readonly hangs?: 'until_deadline' | 'until_abort';
}

export type FakeTable = Readonly<
  Record<string, FakeProgram | ((argv: readonly string[], options: ExecOptions) => FakeProgram)>
>;

export interface FakeExec extends Exec {
  /** Every argv that was run, in order. */
  readonly calls: readonly (readonly string[])[];
}

const DEFAULT_MAX = 4 * 1024 * 1024;

function result(program: FakeProgram, options: ExecOptions): ExecResult {
  const max = options.maxOutputBytes ?? DEFAULT_MAX;
  const stdout = Buffer.from(program.stdout ?? '');
  const stderr = Buffer.from(program.stderr ?? '');
  const tooMuch = stdout.length > max || stderr.length > max;
  const status = program.status ?? (tooMuch ? 'too_much_output' : program.hangs === undefined ? 'exited' : 'timeout');
  return {
    status,
    code: status === 'exited' ? (program.code ?? 0) : null,
    stdout: stdout.subarray(0, max),
    stderr: stderr.subarray(0, max),
    durationMs: program.hangs === undefined ? 1 : options.deadlineMs,
  };
}

/** Looks a call up by its whole argv joined with spaces, then by its program name; anything else is `not_found`. */
export function fakeExec(table: FakeTable): FakeExec {
  const calls: (readonly string[])[] = [];
  return {
    calls,
    run(argv, options) {
      calls.push([...argv]);
      const aborted: FakeProgram = { status: 'aborted' };
      if (options.signal?.aborted === true) return Promise.resolve(result(aborted, options));
      const found = table[argv.join(' ')] ?? table[argv[0]];
      const program = typeof found === 'function' ? found(argv, options) : (found ?? { status: 'not_found' });
      if (program.hangs !== 'until_abort') return Promise.resolve(result(program, options));
      return new Promise((resolve) => {
        options.signal?.addEventListener('abort', () => resolve(result(aborted, options)), { once: true });
      });
    },
  };
}
