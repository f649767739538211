// Reads what apt knows about updates, and whether a restart is pending, on Debian-like systems.
import { existsSync, lstatSync, readlinkSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readFileLimited } from '../system/files.ts';
import { parseIndexTargets, parseSimulation, type IndexTarget } from './apt-output.ts';
import { runTool, Unreadable, type ProbeContext } from './probe.ts';

export interface AptSystem {
  readonly system: 'apt';
  readonly updates: number;
  readonly securityUpdates: number;
  /** Lists of packages from sources of security updates; without one nothing is known about such updates. */
  readonly securitySources: number;
  /** When the oldest of those lists changed last or a fetch without any error ended, Unix seconds; null without a list. */
  readonly listsUpdatedAt: number | null;
  /** Null where nothing on this machine would say so. */
  readonly rebootPending: boolean | null;
  readonly rebootPendingSince: number | null;
}

/** Simulates only, takes no lock, sees held packages too (a hold hides a pending update, it does not remove the need). */
const SIMULATE = ['apt-get', '--simulate', '-o', 'Debug::NoLocking=1', '--ignore-hold', 'dist-upgrade'] as const;
const TARGETS = ['apt-get', 'indextargets', 'Created-By: Packages'] as const;
/** Written by a hook of update-notifier after a fetch in which nothing failed. `update-stamp` says less: apt-get update ends with 0 when nothing could be reached. */
const SUCCESS_STAMP = 'var/lib/apt/periodic/update-success-stamp';
/** Those who write `reboot-required`; without one of them its absence says nothing. */
const REBOOT_HOOKS = [
  'etc/kernel/postinst.d/unattended-upgrades',
  'usr/share/update-notifier/notify-reboot-required',
] as const;
const MAX_RELEASE_BYTES = 256;

const seconds = (ms: number): number => Math.floor(ms / 1000);

/** Lists carry the archive's time as mtime; ctime is when apt put them there. */
function listsUpdatedAt(targets: readonly IndexTarget[], rootDir: string): number | null {
  if (targets.length === 0) return null;
  const oldest = Math.min(...targets.map((target) => statSync(target.file).ctimeMs));
  const stamp = statSync(join(rootDir, SUCCESS_STAMP), { throwIfNoEntry: false });
  return seconds(Math.max(oldest, stamp?.mtimeMs ?? 0));
}

interface Reboot {
  readonly rebootPending: boolean | null;
  readonly rebootPendingSince: number | null;
}

/** Debian keeps `/vmlinuz` pointing at the newest kernel that is installed. */
function newestKernel(rootDir: string): { readonly release: string; readonly since: number } | null {
  const path = join(rootDir, 'vmlinuz');
  const link = lstatSync(path, { throwIfNoEntry: false });
  if (link?.isSymbolicLink() !== true) return null;
  const release = /^vmlinuz-(.+)$/.exec(basename(readlinkSync(path)))?.[1];
  return release === undefined ? null : { release, since: seconds(link.mtimeMs) };
}

/** `rootDir` is where `/` of the judged system is, `procDir` its /proc. */
export function readReboot(rootDir: string, procDir: string): Reboot {
  const marker = lstatSync(join(rootDir, 'run/reboot-required'), { throwIfNoEntry: false });
  if (marker !== undefined) return { rebootPending: true, rebootPendingSince: seconds(marker.mtimeMs) };
  const kernel = newestKernel(rootDir);
  if (kernel !== null) {
    const running = readFileLimited(join(procDir, 'sys/kernel/osrelease'), MAX_RELEASE_BYTES).toString('latin1').trim();
    if (running !== kernel.release) return { rebootPending: true, rebootPendingSince: kernel.since };
  }
  const isTold = kernel !== null || REBOOT_HOOKS.some((hook) => existsSync(join(rootDir, hook)));
  return { rebootPending: isTold ? false : null, rebootPendingSince: null };
}

function parsed<T>(value: T | null, what: string): T {
  if (value === null) throw new Unreadable('unparsable', `the output of ${what} is not what it documents`);
  return value;
}

export async function readAptSystem(context: ProbeContext, rootDir: string): Promise<AptSystem> {
  const [simulated, listed] = await Promise.all([runTool(context, [...SIMULATE]), runTool(context, [...TARGETS])]);
  const pending = parsed(parseSimulation(simulated.toString('utf8')), 'apt-get --simulate');
  const targets = parsed(parseIndexTargets(listed.toString('utf8')), 'apt-get indextargets');
  const security = targets.filter((target) => target.isSecurity);
  return {
    system: 'apt',
    updates: pending.updates,
    securityUpdates: pending.security,
    securitySources: security.length,
    listsUpdatedAt: listsUpdatedAt(security, rootDir),
    ...readReboot(rootDir, context.procDir ?? '/proc'),
  };
}
