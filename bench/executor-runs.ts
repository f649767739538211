// What bench/executor.ts measures, in a process of its own: rounds of looks at all machines as the daemon makes them, findings
// recorded in a store on the disk. Usage: node executor-runs.ts PORTS(joined by commas) ROUNDS. Prints one JSON document.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WINDOWS_CHECKS } from '../agent/checks/windows/registry.ts';
import { loadWindows } from '../agent/daemon/windows-work.ts';
import { createKnownMachines } from '../agent/execution/known-machines.ts';
import { identifyingRunner } from '../agent/execution/identifying-runner.ts';
import { lookAtTargets } from '../agent/execution/look-at-targets.ts';
import { winRmRunner } from '../agent/execution/winrm-runner.ts';
import { systemClock } from '../agent/system/clock.ts';
import { createIds } from '../agent/system/ids.ts';
import { createLockoutGuard } from '../agent/targets/lockout-guard.ts';
import { openWinRmSession } from '../agent/winrm/open-session.ts';
import { WINDOWS_RUNBOOKS } from '../test/lab/play-scenario.ts';
import { executorLab } from '../test/support/executor-lab.ts';
import { memoryLog } from '../test/support/fakes/memory-log.ts';
import { targetOf } from './executor-site.ts';

const [portList = '', rounds = '1'] = process.argv.slice(2);
const targets = portList.split(',').map((port, n) => targetOf(n, Number(port)));
const dir = mkdtempSync(join(tmpdir(), 'executor-bench-'));
const lab = executorLab(dir, {}, { targets });
const system = { clock: systemClock, ids: createIds(systemClock), log: memoryLog() };
const guard = createLockoutGuard({ store: lab.store, nowT: () => Math.floor(Date.now() / 1_000) });
const machines = createKnownMachines({ store: lab.store, ...system });
const runner = identifyingRunner(winRmRunner({ open: openWinRmSession, guard, ...system }), machines);
const { books } = loadWindows(join(WINDOWS_RUNBOOKS, '..'), runner, system.log, WINDOWS_CHECKS);
const deps = { ...lab.deps, ...system, runner, machines };
const site = {
  reach: new Map(),
  known: () => targets.map(({ id }) => id),
  appliance: { id: 'bench', role: 'appliance', os_build: null },
  baseline: () => ({ id: 'bench', version: 1, sha256: '0'.repeat(64) }),
  show: () => undefined,
};
const round = targets.map(({ id, role }) => ({ target: { id, role }, books }));
const ms: number[] = [];
const cpuMs: number[] = [];
const loadedKib = process.resourceUsage().maxRSS;
let findings = 0;
try {
  for (let n = 0; n < Number(rounds); n += 1) {
    const began = performance.now();
    const before = process.cpuUsage();
    const found = await lookAtTargets(round, deps, site, new AbortController().signal);
    const { user, system: kernel } = process.cpuUsage(before);
    ms.push(performance.now() - began);
    cpuMs.push((user + kernel) / 1_000);
    const unknown = found.filter(({ result }) => result === 'unknown');
    if (unknown.length > 0) throw new Error(`${unknown.length} looks are unknown: ${unknown[0]!.sentence}`);
    findings = found.length;
  }
} finally {
  lab.store.close();
  rmSync(dir, { recursive: true, force: true });
}
const peakKib = process.resourceUsage().maxRSS;
process.stdout.write(`${JSON.stringify({ ms, cpuMs, loadedKib, peakKib, findings })}\n`);
process.exit(0);
