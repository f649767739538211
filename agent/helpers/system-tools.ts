// The few programs by which one system takes another's place, each named by root's unit; what they did is looked at elsewhere.
import { lstatSync, readlinkSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import type { Exec, ExecResult } from '../system/ports.ts';

/** Of the units of nix/updates.nix; root's alone. */
export interface UpdatePlaces {
  /** Folder with nix-store and nix-env. */
  readonly nixBin: string;
  /** Folder with systemctl and systemd-run: of the old system, whatever the new one brings. */
  readonly systemdBin: string;
  /** The program of the packet filter. */
  readonly nft: string;
  /** Where root's own time limit for the health of a new system comes from. */
  readonly healthWithinMs: number;
  /** Family and name of the egress table; null where this system has none. */
  readonly egressTable: string | null;
  /** State folder of the daemon. */
  readonly agentStateDir: string;
  /** This very program, as the way back has to start it. */
  readonly program: readonly [string, ...string[]];
  /** Variables of the unit, with which the way back runs too. */
  readonly environment: Readonly<Record<string, string>>;
}

const CURRENT_SYSTEM = '/run/current-system';
const PROFILE = '/nix/var/nix/profiles/system';
/** Keeps what was pulled from being collected until it is in the profile. */
const PULLED_ROOT = '/nix/var/nix/gcroots/compliance-agent-update';
export const SWITCH_UNIT = 'compliance-agent-switch-system.service';
/** Made when it is armed, so that it is of the system that it goes back to; its service has the same name. */
export const ROLLBACK = 'compliance-agent-rollback-system';
const AGENT_UNIT = 'compliance-agent.service';

/** A system is some gigabytes, and a clinic's line may be slow. */
const PULL_MS = 45 * 60_000;
const ASK_MS = 30_000;
/** Installing the boot loader writes to slow storage. */
export const BOOT_MS = 120_000;

const complaint = ({ status, code, stderr }: ExecResult): string =>
  status === 'exited' ? `${code}: ${(stderr.toString('utf8').trim().split('\n').at(-1) ?? '').slice(0, 300)}` : status;

const isGood = ({ status, code }: ExecResult): boolean => status === 'exited' && code === 0;

/** The target of a link; null where there is none. */
function linkTarget(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

export const runningSystem = (): string | null => linkTarget(CURRENT_SYSTEM);

/** What the boot loader's default is made from: the profile's link leads to a generation, and that to the system. */
export function profileSystem(): string | null {
  const generation = linkTarget(PROFILE);
  return generation === null ? null : linkTarget(join(PROFILE, '..', generation));
}

/** Bytes that can be written below the fullest of these folders. */
export function leastFreeBytes(paths: readonly string[]): number {
  return Math.min(
    ...paths.map((path) => {
      const { bavail, bsize } = statfsSync(path);
      return bavail * bsize;
    }),
  );
}

/** By the exact path, signed by a key that the machine trusts, and never built here. @throws update_pull_failed */
export async function pullSystem(exec: Exec, { nixBin }: UpdatePlaces, closure: string): Promise<void> {
  const options = ['--option', 'require-sigs', 'true', '--option', 'fallback', 'false', '--max-jobs', '0'];
  const argv = [join(nixBin, 'nix-store'), '--realise', closure, '--add-root', PULLED_ROOT, ...options] as const;
  const pulled = await exec.run([...argv], { deadlineMs: PULL_MS });
  if (!isGood(pulled)) {
    throw new AgentError('update_pull_failed', `the system cannot be had: ${complaint(pulled)}`, { place: closure });
  }
}

/** @throws update_differs */
export async function assertBytes(
  exec: Exec,
  { nixBin }: UpdatePlaces,
  closure: string,
  narHash: string,
): Promise<void> {
  const asked = await exec.run([join(nixBin, 'nix-store'), '--query', '--hash', closure], { deadlineMs: ASK_MS });
  const hash = isGood(asked) ? asked.stdout.toString('utf8').trim() : null;
  if (hash === narHash) return;
  const sentence = hash === null ? `its hash cannot be asked: ${complaint(asked)}` : `its hash is ${hash.slice(0, 80)}`;
  throw new AgentError('update_differs', `what was pulled is not what was signed: ${sentence}`, { place: closure });
}

/** `test`: now only. `boot`: from the next start on. `switch`: both. True where it said that all went well. */
export async function activate(
  exec: Exec,
  closure: string,
  how: 'test' | 'boot' | 'switch',
  deadlineMs = BOOT_MS,
): Promise<boolean> {
  return isGood(await exec.run([join(closure, 'bin/switch-to-configuration'), how], { deadlineMs }));
}

/** The next start is from this system once its boot entry is made too. */
export async function setProfile(exec: Exec, { nixBin }: UpdatePlaces, closure: string): Promise<boolean> {
  const set = await exec.run([join(nixBin, 'nix-env'), '--profile', PROFILE, '--set', closure], { deadlineMs: ASK_MS });
  return isGood(set) && profileSystem() === closure;
}

/** @throws helper_act_failed */
export async function armRollback(
  exec: Exec,
  { program, systemdBin }: UpdatePlaces,
  o: { readonly afterMs: number; readonly env: Readonly<Record<string, string>> },
): Promise<void> {
  const settings = Object.entries(o.env).map(([name, value]) => `--setenv=${name}=${value}`);
  const timer = [`--on-active=${Math.ceil(o.afterMs / 1_000)}s`, '--timer-property=AccuracySec=1s'];
  const service = [
    '--service-type=oneshot',
    '--property=TimeoutStartSec=15min',
    '--property=SyslogIdentifier=compliance-agent',
  ];
  // What a way back that was taken left: under its name nothing else could be armed.
  await exec.run([join(systemdBin, 'systemctl'), 'reset-failed', `${ROLLBACK}.service`, `${ROLLBACK}.timer`], {
    deadlineMs: ASK_MS,
  });
  const armed = await exec.run(
    [
      join(systemdBin, 'systemd-run'),
      '--quiet',
      '--collect',
      `--unit=${ROLLBACK}`,
      ...timer,
      ...service,
      ...settings,
      '--',
      ...program,
    ],
    { deadlineMs: ASK_MS },
  );
  if (!isGood(armed)) {
    throw new AgentError('helper_act_failed', `the way back cannot be armed: ${complaint(armed)}`, { place: ROLLBACK });
  }
}

/** Does no harm where none is armed. */
export async function disarmRollback(exec: Exec, { systemdBin }: UpdatePlaces): Promise<void> {
  await exec.run([join(systemdBin, 'systemctl'), 'stop', `${ROLLBACK}.timer`], { deadlineMs: ASK_MS });
}

export async function stopSwitch(exec: Exec, { systemdBin }: UpdatePlaces): Promise<void> {
  await exec.run([join(systemdBin, 'systemctl'), 'stop', SWITCH_UNIT], { deadlineMs: BOOT_MS });
}

export async function agentUnit(
  exec: Exec,
  { systemdBin }: UpdatePlaces,
): Promise<{ readonly isActive: boolean; readonly pid: number }> {
  const argv = [join(systemdBin, 'systemctl'), 'show', AGENT_UNIT, '--property=ActiveState,MainPID'] as const;
  const shown = await exec.run([...argv], { deadlineMs: ASK_MS });
  const text = shown.stdout.toString('utf8');
  return {
    isActive: isGood(shown) && /^ActiveState=active$/m.test(text),
    pid: Number(/^MainPID=([0-9]+)$/m.exec(text)?.[1] ?? 0),
  };
}

export async function hasTable(exec: Exec, { nft }: UpdatePlaces, table: string): Promise<boolean> {
  return isGood(await exec.run([nft, 'list', 'table', ...table.split(' ')], { deadlineMs: ASK_MS }));
}
