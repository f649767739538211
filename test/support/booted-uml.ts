// systemd booted under a kernel of its own (User-Mode Linux), with disks and sticks that can be plugged in and a power that can be
// cut. Its root is an overlay over this machine's, without this machine's services; what is in it can be read from outside.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  existsSync,
  readdirSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { until } from '../../tools/demo/process.ts';
import { userModeLinuxProblem } from './user-mode-linux.ts';

const LABS = '/var/tmp';
const MODULES = '/usr/lib/uml/modules';
/** Beside other suites it takes ten times as long as alone. */
const WITHIN_MS = 400_000;
/** Not even a mistake of that kernel's can reach the clock of this machine. */
const WITHOUT_CLOCK = ['--bounding-set=-sys_time', '--inh-caps=-sys_time'];

/** Of this machine, and of no use there; or slow: udev would walk through hundreds of terminals. */
const MASKED = [
  ...[
    'lvm2-monitor.service',
    'blk-availability.service',
    'systemd-binfmt.service',
    'radosgw.service',
    'uml-utilities.service',
  ],
  ...['proc-sys-fs-binfmt_misc.automount', 'e2scrub_reap.service', 'sys-fs-fuse-connections.mount', 'tmp.mount'],
  ...['sys-kernel-config.mount', 'sys-kernel-debug.mount', 'sys-kernel-tracing.mount', 'dev-hugepages.mount'],
  ...['systemd-update-utmp.service', 'console-getty.service', 'getty-static.service', 'systemd-tmpfiles-clean.timer'],
];

/** Runs whatever is left in `/exec`, and says what came of it. */
const RUNNER = `mkdir -p /exec; while :; do
  for script in /exec/*.sh; do
    [ -e "$script" ] || continue
    name=\${script%.sh}; mv "$script" "$name.run"
    { sh "$name.run" >"$name.out" 2>"$name.err" </dev/null; echo $? >"$name.tmp"; mv "$name.tmp" "$name.code"; } &
  done; sleep 0.2; done
`;

const run = (...[command, ...args]: [string, ...string[]]): void => {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
};

/** Processes of the kernel whose root this is; they all have its command line. */
function processesOf(root: string): number {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`rootflags=${root}\0`);
    } catch {
      return false;
    }
  }).length;
}

/** Why no such machine can be booted here, or null. */
export function bootedUmlProblem(...tools: readonly string[]): string | null {
  const problem = userModeLinuxProblem();
  if (problem !== null) return problem;
  for (const tool of ['uml_mconsole', 'modprobe', 'udevadm', ...tools]) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) return `needs ${tool}`;
  }
  return existsSync(MODULES) ? null : 'needs the modules of user-mode-linux';
}

export interface BootedUml {
  /** Its root directory, seen from outside. Read through the overlay: never a database that somebody writes inside. */
  readonly root: string;
  /** Boots until `target` is reached. */
  boot(): Promise<void>;
  /** Runs a shell script as root inside; its stdout. Throws where it fails. */
  run(script: string): Promise<string>;
  /** Plugs an image in as a device (`ubdc` and so on); udev inside hears of it. */
  plug(device: string, image: string): void;
  unplug(device: string): void;
  /** What was written to its first console. */
  screen(): string;
  /** The kernel ends at once: nothing inside is told. */
  cutPower(): Promise<void>;
  close(): Promise<void>;
}

export interface BootedUmlOptions {
  /** Path inside → content. */
  readonly files: Readonly<Record<string, string>>;
  /** Units that are started at boot. */
  readonly wanted: readonly string[];
  /** Folders of this machine that are seen inside at their own paths, read only. */
  readonly shared: readonly string[];
  /** Device → image that it is plugged in from. */
  readonly disks: Readonly<Record<string, string>>;
}

export function bootedUml(options: BootedUmlOptions): BootedUml {
  const lab = mkdtempSync(join(LABS, 'uml-'));
  const root = join(lab, 'root');
  for (const name of ['upper', 'work', 'root']) mkdirSync(join(lab, name));
  const layers = `lowerdir=/,upperdir=${join(lab, 'upper')},workdir=${join(lab, 'work')}`;
  run('mount', '-t', 'overlay', 'overlay', '-o', layers, root);
  const write = (path: string, content: string): void => {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  for (const path of ['etc/systemd/system', 'var/log/journal', 'etc/fstab', 'etc/crypttab', 'exec', '.dockerenv']) {
    // The last would have systemd believe that it is in a container itself.
    rmSync(join(root, path), { recursive: true, force: true });
  }
  mkdirSync(join(root, 'etc/systemd/system'), { recursive: true });
  for (const unit of MASKED) symlinkSync('/dev/null', join(root, 'etc/systemd/system', unit));
  if (!existsSync(join(root, 'lib/modules'))) symlinkSync(MODULES, join(root, 'lib/modules'));
  write('/etc/machine-id', 'c0ffee00c0ffee00c0ffee00c0ffee00\n');
  const dropIn = (unit: string, exec: string): void =>
    write(`/etc/systemd/system/${unit}.d/lab.conf`, `[Service]\nExecStart=\nExecStart=${exec}\n`);
  dropIn('systemd-udev-trigger.service', '/usr/bin/udevadm trigger --subsystem-match=block --action=add');
  // Only what the units of the test need: this machine's /tmp would be cleaned for minutes.
  dropIn('systemd-tmpfiles-setup.service', '/usr/bin/systemd-tmpfiles --create /etc/tmpfiles.d/lab.conf');
  dropIn('systemd-tmpfiles-setup-dev.service', '/usr/bin/true');
  write('/etc/tmpfiles.d/lab.conf', '');
  write('/usr/local/bin/lab-runner', RUNNER);
  write(
    '/etc/systemd/system/lab-runner.service',
    '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sh /usr/local/bin/lab-runner\n',
  );
  const shares = options.shared.map((path) => `mount -t hostfs -o ${path},ro none ${path}`).join(' && ');
  for (const path of options.shared) mkdirSync(join(root, path), { recursive: true });
  write(
    '/etc/systemd/system/lab-shares.service',
    `[Unit]\nDefaultDependencies=no\nBefore=basic.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c '${shares}'\n`,
  );
  for (const [path, content] of Object.entries(options.files)) write(path, content);
  const want = (target: string, unit: string): void => {
    mkdirSync(join(root, `etc/systemd/system/${target}.wants`), { recursive: true });
    symlinkSync(`../${unit}`, join(root, `etc/systemd/system/${target}.wants`, unit));
  };
  // From the first second: it also says why a boot does not come far.
  for (const unit of ['lab-shares.service', 'lab-runner.service']) want('sysinit.target', unit);
  for (const unit of options.wanted) want('multi-user.target', unit);

  let kernel: ChildProcess | null = null;
  let boots = 0;
  let runs = 0;
  const file = (name: string): string => join(lab, `${name}-${boots}`);
  const said = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');
  const mconsole = (words: string): void => run('uml_mconsole', join(lab, `kernel${boots}`, 'mconsole'), words);

  async function cutPower(): Promise<void> {
    const ending = kernel;
    kernel = null;
    if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = new Promise<void>((done) => ending.once('close', () => done()));
    // All of its group: the programs inside are processes of this machine, and one of them holds the disks.
    process.kill(-(ending.pid ?? 0), 'SIGKILL');
    await ended;
    await until('the last process of the machine is gone', () => (processesOf(root) === 0 ? true : null), WITHIN_MS);
  }

  return {
    root,
    screen: () => said(file('screen')),
    cutPower,
    async boot() {
      boots += 1;
      const disks = Object.entries(options.disks).map(([device, image]) => `${device}=${image}`);
      const [console, screen] = [openSync(file('console'), 'w'), openSync(file('screen'), 'w')];
      kernel = spawn(
        'setpriv',
        [
          ...[...WITHOUT_CLOCK, 'linux.uml', 'rootfstype=hostfs', `rootflags=${root}`, 'rw'],
          ...['init=/lib/systemd/systemd', 'mem=1024M', `uml_dir=${lab}/`, `umid=kernel${boots}`, ...disks],
          // The first virtual console is written to a file; the kernel's own messages to another.
          ...[
            'con=null',
            'con0=null,fd:1',
            'con1=null,fd:3',
            'systemd.show_status=0',
            'systemd.unit=multi-user.target',
          ],
        ],
        // Its memory is a file there; /dev/shm is small in many containers.
        {
          env: { PATH: process.env['PATH'], TMPDIR: lab },
          stdio: ['ignore', console, console, screen],
          detached: true,
        },
      );
      await this.run('systemctl is-system-running --wait || true');
    },
    async run(script) {
      const name = join(root, 'exec', `${++runs}`);
      mkdirSync(dirname(name), { recursive: true });
      writeFileSync(`${name}.new`, script);
      run('mv', `${name}.new`, `${name}.sh`);
      const code = await until(
        `the machine to run: ${script.slice(0, 60)}`,
        () => (existsSync(`${name}.code`) ? Number(said(`${name}.code`)) : null),
        WITHIN_MS,
        () => said(file('console')).slice(-3_000),
      );
      if (code !== 0) throw new Error(`${script}: ${said(`${name}.err`)}${said(`${name}.out`)}`);
      return said(`${name}.out`);
    },
    plug: (device, image) => mconsole(`config ${device}=${image}`),
    unplug: (device) => mconsole(`remove ${device}`),
    async close() {
      await cutPower();
      spawnSync('umount', ['--lazy', root]);
      rmSync(lab, { recursive: true, force: true });
    },
  };
}
