// The installer as a process of its own that can be ended at any of its tools: everything but keyboard, screen and waiting is the real
// thing, and disks of a test are told apart as those of a machine would be. `installer-child.ts PLAN`: see InstallerPlan.
import { readFileSync, writeFileSync } from 'node:fs';
import { isAgentError } from '../../agent/errors/agent-error.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { createExec, TOOL_PATH } from '../../agent/system/exec.ts';
import { createIds } from '../../agent/system/ids.ts';
import type { Clock, Exec } from '../../agent/system/ports.ts';
import { openPartnerFile } from '../../agent/trust/partner-file.ts';
import type { DiskFacts } from '../../iso/installer/disk-facts.ts';
import { parseKernelOptions } from '../../iso/installer/kernel-options.ts';
import { readDisks } from '../../iso/installer/read-disks.ts';
import { runInstaller } from '../../iso/installer/run-installer.ts';
import type { Screen } from '../../iso/installer/screens.ts';
import { parseSettings } from '../../iso/installer/settings.ts';
import { release, STEPS, type Work } from '../../iso/installer/steps.ts';
import { wishesOf } from '../../iso/installer/wishes.ts';

export interface InstallerPlan {
  readonly settings: string;
  readonly workDir: string;
  readonly commandLine: string;
  /** Kernel name → what the machine would say of it; disks that are not named are not there. */
  readonly disks: Readonly<Record<string, Partial<DiskFacts>>>;
  /** Ends itself before the nth call of this tool (`cryptsetup` with its verb), counted from 1. */
  readonly dieBefore?: readonly [tool: string, nth: number];
  /** Where the result goes. */
  readonly out: string;
}

export interface InstallerResult {
  readonly result: string;
  readonly ran: readonly string[];
  readonly log: readonly string[];
  readonly screens: readonly (readonly string[])[];
  readonly poweredOff: boolean;
}

const REAL_SLEEP_MS = 200;

const plan = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as InstallerPlan;
const settings = parseSettings(readFileSync(plan.settings, 'utf8'), plan.settings);
const place = settings.partner_file;
const partner = openPartnerFile(readFileSync(place, 'utf8'), { rootSha256: settings.root_sha256, place });
const typed = parseKernelOptions(plan.commandLine);
const wishes = wishesOf(settings, partner, typed);

const ran: string[] = [];
const real = createExec([...settings.tool_path, ...TOOL_PATH]);
const exec: Exec = {
  run: (argv, options) => {
    const name = argv[0] === 'cryptsetup' ? `${argv[0]} ${argv[1]}` : argv[0];
    ran.push(name);
    const [tool, nth] = plan.dieBefore ?? ['', 0];
    if (name === tool && ran.filter((one) => one === name).length === nth) process.kill(process.pid, 'SIGKILL');
    return real.run(argv, options);
  },
};
let skippedMs = 0;
const clock: Clock = {
  ...systemClock,
  monoMs: () => systemClock.monoMs() + skippedMs,
  sleep: (ms, signal) => {
    if (ms <= REAL_SLEEP_MS) return systemClock.sleep(ms, signal);
    skippedMs += ms;
    return Promise.resolve();
  },
};
const work: Work = {
  ...{ exec, clock, settings, partner, ids: createIds(clock), workDir: plan.workDir },
  installId: wishes.installId,
};
const log: string[] = [];
const screens: string[][] = [];
let poweredOff = false;
let result: string;
try {
  result = await runInstaller({
    clock,
    keys: { next: () => new Promise(() => undefined) },
    branding: partner.partner.branding,
    wishes,
    warnings: typed.unknown,
    show: (screen: Screen) => void screens.push(screen.map(({ text }) => text)),
    log: (line) => void log.push(line),
    release: () => release(work),
    readDisks: async () =>
      (await readDisks(exec)).flatMap((disk) => {
        const told = plan.disks[disk.name];
        return told === undefined ? [] : [{ ...disk, ...told }];
      }),
    steps: STEPS.map(({ name, doing, run }) => ({ name, doing, run: (disk) => run(work, disk) })),
    powerOff: () => {
      poweredOff = true;
      return Promise.resolve();
    },
  });
} catch (error) {
  result = isAgentError(error) ? error.code : String(error instanceof Error ? error.stack : error);
  log.push(isAgentError(error) ? error.describe() : result);
}
const said: InstallerResult = { result, ran, log, screens: screens.slice(-1), poweredOff };
writeFileSync(plan.out, JSON.stringify(said));
