// What bench/winrm.ts measures, in a process of its own: prints times and peak memory as JSON, as pywinrm-runs.py does.
// Usage: node winrm-runs.ts URL USER PASSWORD RUNS
import { createInterface } from 'node:readline';
import { systemClock } from '../agent/system/clock.ts';
import { createIds } from '../agent/system/ids.ts';
import type { Log } from '../agent/system/ports.ts';
import type { Endpoint } from '../agent/winrm/endpoint.ts';
import type { Limits } from '../agent/winrm/limits.ts';
import { openWinRmSession } from '../agent/winrm/open-session.ts';
import type { WinRmSession } from '../agent/winrm/session.ts';

const [url = '', name = '', password = '', count = '1'] = process.argv.slice(2);
const runs = Number(count);
const at = new URL(url);
const endpoint: Endpoint = { scheme: 'http', hostname: at.hostname, port: Number(at.port), path: at.pathname };
const [domain = '', user = ''] = name.split('\\');
const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
  setLevel: () => undefined,
};
const loaded = process.resourceUsage().maxRSS;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

function open(limits: Partial<Limits> = {}): WinRmSession {
  const credentials = { kind: 'ntlm', user, domain, password: Buffer.from(password) } as const;
  return openWinRmSession(endpoint, credentials, {
    clock: systemClock,
    ids: createIds(systemClock),
    log: silent,
    limits,
  });
}

async function command(session: WinRmSession, script = 'echo', size = 4): Promise<void> {
  const encoded = Buffer.from(script, 'utf16le').toString('base64');
  const { exitCode, stdout } = await session.run({
    command: 'powershell.exe',
    args: ['-NoProfile', '-NonInteractive', '-EncodedCommand', encoded],
    stdin: Buffer.alloc(0),
    timeoutMs: 60_000,
    outputCapBytes: 16 * 1_048_576,
  });
  if (exitCode !== 0 || stdout.length !== size) throw new Error(`exit code ${exitCode}, ${stdout.length} bytes`);
}

async function fresh(script?: string, size?: number): Promise<void> {
  const session = open();
  await command(session, script, size);
  await session.close();
}

/** The bench reads the server's counters before it answers. */
async function say(line: unknown): Promise<void> {
  process.stdout.write(`${JSON.stringify(line)}\n`);
  await lines.next();
}

async function timed(kind: string, work: () => Promise<void>, times = runs): Promise<void> {
  await say({ kind: 'begin' });
  const ms: number[] = [];
  for (let run = 0; run < times; run += 1) {
    const began = performance.now();
    await work();
    ms.push(performance.now() - began);
  }
  await say({ kind, ms });
}

/** Twenty-five sessions, four at once, one command each. */
async function manyTargets(): Promise<void> {
  let left = 25;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await fresh();
    }
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
}

await timed('fresh', fresh);
// One command per shell: each run opens a new shell in the same session.
const newShells = open({ shellCommands: 1 });
await command(newShells);
await timed('reused session', async () => command(newShells));
await newShells.close();
const oneShell = open();
await command(oneShell);
await timed('reused shell', async () => command(oneShell));
await oneShell.close();
await timed('2 MiB', async () => fresh('LAB-BIG', 2_097_152), Math.max(1, Math.floor(runs / 4)));
const peak = process.resourceUsage().maxRSS;
await timed('25 targets, 4 at once', manyTargets, Math.max(1, Math.floor(runs / 8)));
await say({ kind: 'peak', kib: peak, loaded_kib: loaded });
process.exit(0);
