// A kernel of its own as a process of this machine (User-Mode Linux), whose clock may be set: its root is this machine's, read only
// over hostfs; what it keeps lies in its memory, and one folder leads back out.
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A boot needs two seconds; beside other suites, more. */
const BOOT_AND_RUN_MS = 300_000;
const MEMORY = '256M';
const MODULES = '/usr/lib/uml/modules';
const MAX_CONSOLE_BYTES = 1_048_576;
/** Not even a mistake of that kernel's can reach the clock of this machine. */
const WITHOUT_CLOCK = ['--bounding-set=-sys_time', '--inh-caps=-sys_time'];

/** Why no such kernel can be booted here, or null. */
export function userModeLinuxProblem(): string | null {
  if (process.getuid?.() !== 0) return 'needs root';
  for (const tool of ['linux.uml', 'setpriv']) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) return `needs ${tool}`;
  }
  return null;
}

export interface UserModeLinuxOptions {
  readonly memory?: string;
  /** For boot and script together, beside other suites. */
  readonly withinMs?: number;
  /** Images; inside they are `/dev/ubdb`, `/dev/ubdc` and so on. */
  readonly disks?: readonly string[];
  /** Modules that are loaded before the script runs. */
  readonly modules?: readonly string[];
  /** Ends the kernel at once when the script has left a file of this name: a power cut. */
  readonly cutAt?: string;
}

/**
 * Boots, runs a shell script as root and powers off. The script finds `/run` empty and writable, and may leave files in `$OUT`.
 *
 * @param dir a folder of the test's, outside of /run; `init`, `script` and `out` are made in it
 * @returns reads a file that the script left; throws with what kernel and script said where it is not there
 */
export async function runInUserModeLinux(
  dir: string,
  script: string,
  o: UserModeLinuxOptions = {},
): Promise<(name: string) => string> {
  const [init, body, out] = [join(dir, 'init'), join(dir, 'script'), join(dir, 'out')];
  mkdirSync(out);
  writeFileSync(body, script);
  const first = [
    '#!/bin/sh',
    'export PATH=/usr/sbin:/usr/bin:/sbin:/bin OUT=' + out,
    'mount -t proc proc /proc',
    'mount -t tmpfs -o mode=755 tmpfs /run',
    `mount -t hostfs -o ${out} none ${out}`,
    ...((o.modules ?? []).length === 0
      ? []
      : [
          'mount -t sysfs sysfs /sys',
          `mkdir -p /run/modules/lib && ln -s ${MODULES} /run/modules/lib/modules`,
          // What a module needs besides, the kernel asks for itself.
          'printf \'#!/bin/sh\\nexec modprobe --dirname /run/modules "$@"\\n\' >/run/modprobe && chmod 755 /run/modprobe',
          'echo /run/modprobe >/proc/sys/kernel/modprobe',
          `modprobe --all --dirname /run/modules ${o.modules?.join(' ')}`,
        ]),
    `sh ${body} >${out}/said 2>&1 </dev/null`,
    'echo o >/proc/sysrq-trigger',
    'sleep 60',
  ];
  writeFileSync(init, `${first.join('\n')}\n`, { mode: 0o755 });
  const kernel = [
    'rootfstype=hostfs',
    'rootflags=/',
    'ro',
    `init=${init}`,
    `mem=${o.memory ?? MEMORY}`,
    `uml_dir=${dir}/`,
  ];
  for (const [i, image] of (o.disks ?? []).entries()) kernel.push(`ubd${i + 1}=${image}`);
  const running = promisify(execFile)(
    'setpriv',
    [...WITHOUT_CLOCK, 'linux.uml', ...kernel, 'umid=kernel', 'con=null', 'con0=null,fd:1', 'quiet'],
    // Its memory is a file there; /dev/shm is small in many containers.
    {
      env: { PATH: process.env['PATH'], TMPDIR: dir },
      timeout: o.withinMs ?? BOOT_AND_RUN_MS,
      maxBuffer: MAX_CONSOLE_BYTES,
    },
  );
  const flag = o.cutAt === undefined ? null : join(out, o.cutAt);
  const watch = setInterval(() => {
    // With its helpers, which are of its process group and would keep the disks.
    if (flag !== null && existsSync(flag) && running.child.pid !== undefined)
      process.kill(-running.child.pid, 'SIGKILL');
  }, 50);
  const console = await running.catch((error: unknown) => error as { stdout: string; stderr: string });
  clearInterval(watch);
  const read = (name: string): string => readFileSync(join(out, name), 'utf8');
  return (name) => {
    try {
      return read(name);
    } catch (cause) {
      let said = '';
      try {
        said = read('said');
      } catch {
        // The script was never started: the console says why.
      }
      throw new Error(`${name} was not left: ${said}${console.stdout}${console.stderr}`, { cause });
    }
  };
}
