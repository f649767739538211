// Our WinRM client beside pywinrm, against the same independent server in the same run, in turns: NTLM over HTTP, sealed. Each
// client is a process of its own. Needs WINRM_LAB and Debian's python3-winrm; says so where one is missing.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { noInteropTarget, openInteropTarget, type LabControl } from '../test/support/winrm-interop.ts';
import { rowOf, type BenchRow } from './bench-row.ts';

const RUNS = { full: 40, smoke: 2 } as const;
const PYTHON = '/usr/bin/python3';
/** pywinrm takes MD4 from OpenSSL, which has it in its legacy provider only. */
const LEGACY_CONF = `openssl_conf = init
[init]
providers = providers
[providers]
default = on
legacy = on
[on]
activate = 1
`;

/** `begin` stands before each kind of run. */
interface Line {
  readonly kind: string;
  readonly ms?: number[];
  /** Peak memory, and what it was when nothing but the program was loaded. */
  readonly kib?: number;
  readonly loaded_kib?: number;
}

interface Measured {
  readonly kind: string;
  readonly ms: readonly number[];
  /** HTTP requests that the server counted, for one run. */
  readonly requests: number;
}

interface Client {
  readonly measured: readonly Measured[];
  readonly peakMib: number;
  readonly addedMib: number;
}

export async function benchWinRm({ smoke = false } = {}): Promise<BenchRow[]> {
  const missing = noInteropTarget() ?? noPywinrm();
  if (missing !== null || process.env['WINRM_LAB'] === undefined) {
    process.stdout.write(`winrm: not measured, ${missing ?? 'WINRM_LAB is not set'}\n`);
    return [];
  }
  const target = await openInteropTarget({ ...process.env, WINRM_TEST_HTTP_URL: undefined });
  try {
    const { env, control } = target;
    const args = [
      env['WINRM_TEST_HTTP_URL']!,
      env['WINRM_TEST_USER']!,
      env['WINRM_TEST_PASSWORD']!,
      String(smoke ? RUNS.smoke : RUNS.full),
    ];
    const conf = join(env['WINRM_TEST_STATE']!, 'legacy.cnf');
    writeFileSync(conf, LEGACY_CONF);
    const theirs = await measure([PYTHON, join(import.meta.dirname, 'pywinrm-runs.py'), ...args], control!, {
      OPENSSL_CONF: conf,
    });
    const ours = await measure([process.execPath, join(import.meta.dirname, 'winrm-runs.ts'), ...args], control!);
    return rowsOf(ours, theirs);
  } finally {
    target.stop();
  }
}

function noPywinrm(): string | null {
  try {
    execFileSync(PYTHON, ['-c', 'import winrm'], { stdio: 'ignore' });
    return null;
  } catch {
    return 'python3-winrm is not installed';
  }
}

async function measure(
  argv: readonly string[],
  control: LabControl,
  env: Readonly<Record<string, string>> = {},
): Promise<Client> {
  await control.configure();
  const child = spawn(argv[0]!, argv.slice(1), { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  const measured: Measured[] = [];
  let peakMib = 0;
  let addedMib = 0;
  let before = 0;
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as Line;
    if (line.kib !== undefined) {
      peakMib = line.kib / 1_024;
      addedMib = (line.kib - (line.loaded_kib ?? 0)) / 1_024;
    }
    const seen = (await control.stats()).stats['http.requests'] ?? 0;
    if (line.ms !== undefined) {
      measured.push({ kind: line.kind, ms: line.ms, requests: (seen - before) / line.ms.length });
    }
    before = seen;
    child.stdin.write('\n');
  }
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}`);
  return { measured, peakMib, addedMib };
}

function rowsOf(ours: Client, theirs: Client): BenchRow[] {
  const rows = ours.measured.flatMap((own) => {
    const other = theirs.measured.find(({ kind }) => kind === own.kind);
    const time = rowOf(`WinRM, ${own.kind}`, 'ms', own.ms);
    const requests = rowOf(`WinRM, ${own.kind}: requests`, 'requests', [own.requests]);
    if (other === undefined) return [time];
    const otherTime = rowOf(`pywinrm, ${own.kind}`, 'ms', other.ms);
    const otherRequests = rowOf(`pywinrm, ${own.kind}: requests`, 'requests', [other.requests]);
    return [otherTime, beside(time, otherTime), otherRequests, beside(requests, otherRequests)];
  });
  const peak = rowOf('pywinrm, peak memory', 'MiB', [theirs.peakMib]);
  const added = rowOf('pywinrm, memory beyond the loaded program', 'MiB', [theirs.addedMib]);
  return [
    ...rows,
    peak,
    beside(rowOf('WinRM, peak memory', 'MiB', [ours.peakMib]), peak),
    added,
    beside(rowOf('WinRM, memory beyond the loaded program', 'MiB', [ours.addedMib]), added),
  ];
}

const beside = (row: BenchRow, other: BenchRow): BenchRow => ({
  ...row,
  against: other.name,
  ratio: row.value / other.value,
});
