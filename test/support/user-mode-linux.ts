// A kernel of its own as a process of this machine (User-Mode Linux), whose clock may be set: its root is this machine's, read only
// over hostfs; what it keeps lies in its memory, and one folder leads back out.
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A boot needs two seconds; beside other suites, more. */
const BOOT_AND_RUN_MS = 300_000;
const MEMORY = '256M';
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

/**
 * Boots, runs a shell script as root and powers off. The script finds `/run` empty and writable, and may leave files in `$OUT`.
 *
 * @param dir a folder of the test's, outside of /run; `init`, `script` and `out` are made in it
 * @returns reads a file that the script left; throws with what kernel and script said where it is not there
 */
export async function runInUserModeLinux(dir: string, script: string): Promise<(name: string) => string> {
  const [init, body, out] = [join(dir, 'init'), join(dir, 'script'), join(dir, 'out')];
  mkdirSync(out);
  writeFileSync(body, script);
  const first = [
    '#!/bin/sh',
    'export PATH=/usr/sbin:/usr/bin:/sbin:/bin OUT=' + out,
    'mount -t proc proc /proc',
    'mount -t tmpfs -o mode=755 tmpfs /run',
    `mount -t hostfs -o ${out} none ${out}`,
    `sh ${body} >${out}/said 2>&1 </dev/null`,
    'echo o >/proc/sysrq-trigger',
    'sleep 60',
  ];
  writeFileSync(init, `${first.join('\n')}\n`, { mode: 0o755 });
  const kernel = ['rootfstype=hostfs', 'rootflags=/', 'ro', `init=${init}`, `mem=${MEMORY}`, `uml_dir=${dir}/`];
  const console = await promisify(execFile)(
    'setpriv',
    [...WITHOUT_CLOCK, 'linux.uml', ...kernel, 'umid=kernel', 'con=null', 'con0=null,fd:1', 'quiet'],
    // Its memory is a file there; /dev/shm is small in many containers.
    { env: { PATH: process.env['PATH'], TMPDIR: dir }, timeout: BOOT_AND_RUN_MS, maxBuffer: MAX_CONSOLE_BYTES },
  ).catch((error: unknown) => error as { stdout: string; stderr: string });
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
