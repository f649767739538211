#!/usr/bin/env node
// The installer: composed here, started by a unit on tty1 of the stick. `main.ts SETTINGS`, or `main.ts --check SETTINGS`, which reads
// the settings and the partner's file as the image is built and touches nothing.
import { readFileSync } from 'node:fs';
import { AgentError, isAgentError } from '../../agent/errors/agent-error.ts';
import { EXIT } from '../../agent/errors/exit-codes.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { createExec } from '../../agent/system/exec.ts';
import { createIds } from '../../agent/system/ids.ts';
import { openPartnerFile, type OpenedPartner } from '../../agent/trust/partner-file.ts';
import { parseKernelOptions } from './kernel-options.ts';
import { readDisks } from './read-disks.ts';
import { runInstaller } from './run-installer.ts';
import { parseSettings, type InstallerSettings } from './settings.ts';
import { release, STEPS, type Work } from './steps.ts';
import { clearScreen, keyboard, painted } from './terminal.ts';
import { tool } from './tool.ts';
import { wishesOf } from './wishes.ts';

/** A memory file system: keys lie here until the machine is switched off. */
const WORK_DIR = '/run/installer';

let isShowing = false;
const log = (line: string): void => void process.stderr.write(`installer: ${line}\n`);

function load(path: string): { settings: InstallerSettings; partner: OpenedPartner } {
  const settings = parseSettings(readFileSync(path, 'utf8'), path);
  const place = settings.partner_file;
  const partner = openPartnerFile(readFileSync(place, 'utf8'), { rootSha256: settings.root_sha256, place });
  return { settings, partner };
}

async function install(path: string): Promise<void> {
  const { settings, partner } = load(path);
  const typed = parseKernelOptions(readFileSync('/proc/cmdline', 'utf8'));
  const wishes = wishesOf(settings, partner, typed);
  const exec = createExec(settings.tool_path);
  const ids = createIds(systemClock);
  const work: Work = {
    exec,
    ids,
    clock: systemClock,
    settings,
    partner,
    installId: wishes.installId,
    workDir: WORK_DIR,
  };
  clearScreen(process.stdout);
  isShowing = true;
  await runInstaller({
    clock: systemClock,
    keys: keyboard(process.stdin),
    branding: partner.partner.branding,
    wishes,
    warnings: typed.unknown,
    show: (screen) => void process.stdout.write(painted(screen)),
    log,
    release: () => release(work),
    readDisks: () => readDisks(exec),
    steps: STEPS.map(({ name, doing, run }) => ({ name, doing, run: (disk) => run(work, disk) })),
    powerOff: async () => void (await tool(exec, ['systemctl', 'poweroff'])),
  });
}

if (import.meta.main) {
  const [first, second] = process.argv.slice(2);
  try {
    if (first === undefined) throw new AgentError('usage', 'usage: installer [--check] SETTINGS');
    if (first === '--check') load(second ?? '');
    else await install(first);
    process.exit(EXIT.ok);
  } catch (error) {
    const said = isAgentError(error) ? error.describe() : String(error instanceof Error ? error.stack : error);
    log(said);
    // What keeps it from drawing a screen stands on the console as it is.
    if (!isShowing) process.stdout.write(`${said}\r\n`);
    process.exit(isAgentError(error) ? error.exitCode : EXIT.internal);
  }
}
