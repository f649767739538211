// Looks at 25 Windows machines with every runbook, as the daemon's stage makes them: four machines at once, one session for each.
// The machines are WinRM servers of the lab in a process of their own, which answer at once what real PowerShell answered when it
// was recorded: what is measured is what the appliance does. NTLM over HTTP, sealed.
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { rowOf, type BenchRow } from './bench-row.ts';

const SIZES = { full: { machines: 25, rounds: 6 }, smoke: { machines: 3, rounds: 2 } } as const;

interface Measured {
  readonly ms: readonly number[];
  readonly cpuMs: readonly number[];
  readonly loadedKib: number;
  readonly peakKib: number;
  readonly findings: number;
}

interface Counts {
  readonly requests: number;
  readonly logons: number;
  readonly shells: number;
}

export async function benchExecutor({ smoke = false } = {}): Promise<BenchRow[]> {
  const { machines, rounds } = smoke ? SIZES.smoke : SIZES.full;
  const here = import.meta.dirname;
  const hosts = spawn(process.execPath, [join(here, 'executor-hosts.ts'), String(machines)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: hosts.stdout })[Symbol.asyncIterator]();
  const next = async <T>(): Promise<T> => {
    const line = await lines.next();
    if (line.done === true) throw new Error('the hosts of the bench have ended');
    return JSON.parse(line.value) as T;
  };
  try {
    const { ports } = await next<{ readonly ports: readonly number[] }>();
    const argv = [join(here, 'executor-runs.ts'), ports.join(','), String(rounds)];
    const measured = JSON.parse(execFileSync(process.execPath, argv, { encoding: 'utf8' })) as Measured;
    hosts.stdin.write('counts\n');
    const counts = await next<Counts>();
    if (counts.shells !== 0) throw new Error(`${counts.shells} shells are left`);
    return rowsOf(measured, counts, machines, rounds);
  } finally {
    hosts.stdin.end('end\n');
  }
}

function rowsOf(measured: Measured, counts: Counts, machines: number, rounds: number): BenchRow[] {
  const { ms, cpuMs, peakKib, loadedKib, findings } = measured;
  const looks = findings / machines;
  const name = `executor: ${machines} machines, ${looks} looks each, 4 at once`;
  // The first round meets a cold program; it counts for memory only.
  const warm = <T>(values: readonly T[]): readonly T[] => values.slice(1);
  return [
    rowOf(name, 'ms', warm(ms)),
    rowOf('executor: CPU of the appliance for that', 'ms', warm(cpuMs)),
    rowOf('executor: requests to one machine, logon apart', 'requests', [counts.requests / machines / rounds]),
    rowOf('executor: logons at one machine', 'logons', [counts.logons / machines / rounds]),
    rowOf('executor: memory beyond the loaded program', 'MiB', [(peakKib - loadedKib) / 1_024]),
    rowOf('executor: peak memory', 'MiB', [peakKib / 1_024]),
  ];
}
