// A container in which systemd is really booted: an overlay over this machine's root, no network, gone after the test.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createExec } from '../../agent/system/exec.ts';
import type { Exec } from '../../agent/system/ports.ts';
import { ownCgroup } from './own-cgroup.ts';

/** Overlays need an upper layer that is no overlay and no tmpfs of a small machine. */
const LABS = '/var/tmp';
const BOOT_MS = 60_000;
const RESTART_CODE = 133;
const LOOK_MS = 100;
/** Bound at its own path, so that tests can run the agent inside. */
export const CHECKOUT = resolve(import.meta.dirname, '../..');
const MACHINE_ID = 'c0ffee00c0ffee00c0ffee00c0ffee00';

interface Overlay {
  readonly root: string;
  remove(): void;
}

function mountOverlay(lower = '/'): Overlay {
  const lab = mkdtempSync(join(LABS, 'nspawn-'));
  const [upper, work, root] = [join(lab, 'upper'), join(lab, 'work'), join(lab, 'root')];
  for (const dir of [upper, work, root]) mkdirSync(dir);
  const mounted = spawnSync(
    'mount',
    ['-t', 'overlay', 'overlay', '-o', `lowerdir=${lower},upperdir=${upper},workdir=${work}`, root],
    { encoding: 'utf8' },
  );
  const remove = (): void => {
    if (mounted.status === 0) spawnSync('umount', ['--lazy', root]);
    rmSync(lab, { recursive: true, force: true });
  };
  if (mounted.status === 0) return { root, remove };
  remove();
  throw new Error(mounted.stderr.trim());
}

/** Why no container can be booted here, or null. */
export function nspawnProblem(...tools: readonly string[]): string | null {
  if (process.getuid?.() !== 0) return 'needs root';
  for (const tool of ['systemd-nspawn', 'nsenter', 'mount', ...tools]) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) return `needs ${tool}`;
  }
  if (!existsSync('/lib/systemd/systemd')) return 'needs systemd, to boot it in a container';
  try {
    mountOverlay().remove();
    return null;
  } catch (error) {
    return `this machine mounts no overlay of its root: ${(error as Error).message}`;
  }
}

export interface Container {
  /** Its root directory, seen from outside; writable. */
  readonly root: string;
  /** A port whose programs run inside, as root unless `as` was asked for. */
  readonly exec: Exec;
  /** The same with another user id, no groups but `groups`, and no capabilities. */
  execAs(uid: number, groups?: readonly number[]): Exec;
  /** Runs a program inside and returns its stdout; throws where it fails. */
  run(argv: readonly [string, ...string[]], stdin?: string): string;
  /** Waits until it has gone down in good order and come up again, as it was asked to from inside. */
  untilRestarted(): Promise<void>;
  /** Ends everything inside at once, and boots what is on its disk. */
  cutPower(): Promise<void>;
  close(): Promise<void>;
}

export interface ContainerOptions {
  /** Files written before it boots: path inside → content. */
  readonly files?: Readonly<Record<string, string>>;
  /** The root that it lies over; this machine's own by default. */
  readonly lower?: string;
  /** What is booted; `basic.target` has journald, D-Bus and timers, and none of this machine's services. */
  readonly target?: string;
}

function leaderOf(pid: number): number | null {
  if (!existsSync(`/proc/${pid}/task/${pid}/children`)) return null;
  const child = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0];
  return child === undefined || child === '' ? null : Number(child);
}

/** Boots in about a second. Throws where it does not come up within a minute. */
export async function bootContainer(options: ContainerOptions = {}): Promise<Container> {
  const overlay = mountOverlay(options.lower);
  const write = (path: string, content: string): void => {
    mkdirSync(join(overlay.root, path, '..'), { recursive: true });
    writeFileSync(join(overlay.root, path), content);
  };
  write('/etc/machine-id', `${MACHINE_ID}\n`);
  rmSync(join(overlay.root, 'var/log/journal'), { recursive: true, force: true });
  for (const [path, content] of Object.entries(options.files ?? {})) write(path, content);
  const arguments_ = [
    ...['--quiet', `--directory=${overlay.root}`, '--private-network', '--register=no', '--keep-unit'],
    // Reading how the clock is, which nspawn refuses by itself; setting it takes a capability that nobody inside has.
    '--system-call-filter=adjtimex clock_adjtime',
    ...['--link-journal=no', '--console=read-only', `--bind-ro=${CHECKOUT}`, '--boot', '--'],
    `systemd.unit=${options.target ?? 'basic.target'}`,
  ];
  const group = ownCgroup();
  const [shell, ...command] = [...group.enter, 'systemd-nspawn', ...arguments_] as [string, ...string[]];
  let complaint = '';
  const start = (): { readonly process: ChildProcess; readonly exited: Promise<void> } => {
    const nspawn = spawn(shell, command, { stdio: ['ignore', 'ignore', 'pipe'] });
    nspawn.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-2_000)));
    return { process: nspawn, exited: new Promise<void>((done) => nspawn.once('close', () => done())) };
  };
  let machine = start();
  let leader: number | null = null;
  const inside = (): [string, ...string[]] => [
    'nsenter',
    ...[`--target=${leader}`, '--mount', '--uts', '--ipc', '--net', '--pid', '--'],
  ];
  const end = async (): Promise<void> => {
    // The end of its first process ends everything inside; nspawn then tidies up and ends by itself.
    if (machine.process.exitCode === null && machine.process.signalCode === null) {
      if (leader === null || !existsSync(`/proc/${leader}`)) machine.process.kill('SIGKILL');
      else process.kill(leader, 'SIGKILL');
    }
    await machine.exited;
  };
  const close = async (): Promise<void> => {
    await end();
    await group.remove();
    overlay.remove();
  };
  /** @param before the first process of the boot that is to be over */
  const untilUp = async (before: number | null): Promise<void> => {
    const deadline = performance.now() + BOOT_MS;
    for (;;) {
      if (machine.process.exitCode !== null || performance.now() > deadline) throw new Error(`no boot: ${complaint}`);
      // Its first child only sets the container up and ends; the one after it is the first process inside.
      leader = leaderOf(machine.process.pid ?? 0);
      if (leader !== null && leader !== before) {
        const state = spawnSync(inside()[0], [...inside().slice(1), 'systemctl', 'is-system-running']);
        if (/running|degraded/.test(state.stdout.toString())) break;
      }
      await delay(LOOK_MS);
    }
  };
  try {
    await untilUp(null);
  } catch (error) {
    await close();
    throw error;
  }
  const outer = createExec();
  const prefixed = (...prefix: string[]): Exec => ({
    run: (argv, o) => outer.run([...inside(), ...prefix, ...argv] as [string, ...string[]], o),
  });
  return {
    root: overlay.root,
    exec: prefixed(),
    execAs: (uid, groups = []) =>
      prefixed(
        ...['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--bounding-set=-all', '--inh-caps=-all'],
        ...(groups.length === 0 ? ['--clear-groups'] : [`--groups=${groups.join(',')}`]),
        '--',
      ),
    run(argv, stdin) {
      const [program, ...rest] = [...inside(), ...argv] as [string, ...string[]];
      const result = spawnSync(program, rest, { input: stdin ?? '', encoding: 'utf8' });
      if (result.status !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr}`);
      return result.stdout;
    },
    async untilRestarted() {
      const before = leader;
      await machine.exited;
      // With --keep-unit it leaves the restart to whoever started it, by this code (systemd-nspawn(1)).
      if (machine.process.exitCode !== RESTART_CODE) throw new Error(`no restart: ${machine.process.exitCode}`);
      machine = start();
      await untilUp(before);
    },
    async cutPower() {
      const before = leader;
      await end();
      machine = start();
      await untilUp(before);
    },
    close,
  };
}
