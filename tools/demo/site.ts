// One whole site in a temporary folder: Central Command and an appliance as real processes on this host, over real TLS.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentStatus } from '../../agent/system/status-file.ts';
import { readStatus } from '../../agent/system/status-file.ts';
import type { Finished, Running } from './process.ts';
import { run, start, until } from './process.ts';

export interface SiteOptions {
  /** An empty folder that the caller removes. */
  readonly dir: string;
  /** Of the checkout. */
  readonly repo: string;
  /** Lines added to the appliance's configuration. */
  readonly config?: readonly string[];
  /** Who holds the partner's keys; one person unless said otherwise. */
  readonly persons?: readonly string[];
  /** Central Command's options of `serve` in place of the demo's short intervals. */
  readonly serve?: readonly string[];
  /** Added to the environment of Central Command and of its verbs. */
  readonly centralEnv?: Readonly<Record<string, string>>;
  /** The same for the daemon, and what it is started with: a program that executes the rest of its arguments. */
  readonly agentEnv?: Readonly<Record<string, string>>;
  readonly agentWrap?: readonly string[];
  /** What `central-command serve` is started with. */
  readonly serveWrap?: readonly string[];
}

export type Site = ReturnType<typeof createSite>;

export const PARTNER = 'demo-partner';
export const SITE = 'demo-clinic';
export const APPLIANCE = 'demo-clinic-1';

/** Generous: a start takes about a second here, and may take many on a busy machine. */
const START_MS = 30_000;

const DEMO_SERVE = ['--checkin-interval', '1', '--claim-interval', '1'];

export function createSite(o: SiteOptions) {
  const { dir, repo, config = [], persons = ['Alex Demo'], serve = DEMO_SERVE, centralEnv = {} } = o;
  const { agentEnv = {}, agentWrap = [], serveWrap = [] } = o;
  const paths = {
    data: join(dir, 'central'),
    keys: join(dir, 'operator-keys'),
    provision: join(dir, 'stick'),
    state: join(dir, 'state'),
    config: join(dir, 'config.yaml'),
    agentLog: join(dir, 'agent.log'),
    centralLog: join(dir, 'central.log'),
  };
  const node = process.execPath;
  const agentArgv = (args: readonly string[]): [string, ...string[]] => [
    node,
    '--disable-sigusr1',
    join(repo, 'agent/main.ts'),
    ...args,
  ];
  const options = { cwd: repo, env: { NO_COLOR: '1' } };
  const centralOptions = { cwd: repo, env: { ...options.env, ...centralEnv } };
  let central: Running | null = null;
  let agent: Running | null = null;
  let url = '';
  let rootDigest = '';

  const site = {
    paths,
    url: (): string => url,
    agentProcess: (): Running | null => agent,
    centralProcess: (): Running | null => central,
    agentArgv,

    /** Runs one `central-command` verb; throws unless it ends with 0. The JSON that it prints. */
    async central(...args: string[]): Promise<unknown> {
      const argv: [string, ...string[]] = [
        node,
        join(repo, 'central/main.ts'),
        ...args,
        '--data',
        paths.data,
        '--json',
      ];
      const { code, output } = await run(argv, centralOptions);
      if (code !== 0) throw new Error(`central-command ${args.join(' ')} ended with ${code}:\n${output}`);
      return JSON.parse(output.trim() === '' ? 'null' : output);
    },

    /** Runs one `compliance-agent` verb against this site. */
    cli: (...args: string[]): Promise<Finished> => run(agentArgv([...args, '--config', paths.config]), options),

    async startCentral(): Promise<void> {
      // The port stays the same when Central Command comes back.
      const listen = url === '' ? '127.0.0.1:0' : new URL(url).host;
      central = start(
        [
          ...serveWrap,
          node,
          join(repo, 'central/main.ts'),
          'serve',
          '--plain-keys',
          ...['--data', paths.data, '--listen', listen, ...serve, '--json'],
        ] as [string, ...string[]],
        { ...centralOptions, logFile: paths.centralLog },
      );
      const serving = central;
      url = await until(
        'central command listens',
        () => /"listening":"([^"]+)"/.exec(serving.output())?.[1] ?? null,
        START_MS,
        () => serving.output(),
      );
    },

    async endCentral(signal: NodeJS.Signals): Promise<void> {
      await central?.end(signal);
      central = null;
    },

    /** Digest of the trust root, as it was printed when it was made: whoever verifies evidence starts from it. */
    rootDigest: (): string => rootDigest,

    /** A new partner with one site, and the stick for its appliance. */
    async provision(): Promise<void> {
      const people = persons.flatMap((person) => ['--person', person]);
      const made = await site.central('init', '--keys', paths.keys, '--partner', PARTNER, ...people);
      rootDigest = (made as { root_sha256: string }).root_sha256;
      await site.startCentral();
      await site.central('site', 'add', SITE, '--customer', 'demo-customer');
      await site.central('usb', 'write', paths.provision, '--site', SITE);
      mkdirSync(paths.state, { recursive: true, mode: 0o700 });
      writeFileSync(paths.config, configText(paths, repo, config));
    },

    startAgent(): Running {
      const argv = [...agentWrap, ...agentArgv(['run', '--config', paths.config])] as [string, ...string[]];
      agent = start(argv, { cwd: repo, env: { ...options.env, ...agentEnv }, logFile: paths.agentLog });
      return agent;
    },

    async endAgent(signal: NodeJS.Signals, withinMs?: number): Promise<number | string> {
      const ended = (await agent?.end(signal, withinMs)) ?? 0;
      agent = null;
      return ended;
    },

    /** The status that the running agent wrote; null before its first, and after another process wrote it. */
    status(): AgentStatus | null {
      const status = readStatus(paths.state);
      return status !== null && status.pid === agent?.pid ? status : null;
    },

    /** Waits until the agent's status satisfies `when`. */
    untilStatus(what: string, when: (status: AgentStatus) => boolean, withinMs = START_MS): Promise<AgentStatus> {
      return until(
        what,
        () => {
          const status = site.status();
          return status !== null && when(status) ? status : null;
        },
        withinMs,
        () => `${JSON.stringify(site.status(), null, 1)}\n${agent?.output().slice(-4_000) ?? ''}`,
      );
    },

    /** Confirms the waiting device, as an operator who has compared the fingerprint. */
    async confirm(): Promise<void> {
      const { fingerprint } = await site.untilStatus('the device waits for confirmation', (s) => s.state === 'pending');
      await site.central('appliance', 'confirm', fingerprint ?? '', '--appliance-id', APPLIANCE, '--keys', paths.keys);
      await site.untilStatus('the appliance is enrolled', (s) => s.state === 'enrolled' && s.last_answer_at !== null);
    },

    /** Issues an order; its `order_id`. */
    async issue(kind: string, params: object = {}): Promise<{ order_id: string; line: string; digest: string }> {
      const issued = await site.central(
        ...['order', 'issue', '--appliance', APPLIANCE, '--kind', kind, '--params', JSON.stringify(params), '--print'],
      );
      return issued as { order_id: string; line: string; digest: string };
    },

    /** Ends both processes without ceremony. */
    async end(): Promise<void> {
      await Promise.all([site.endAgent('SIGKILL'), site.endCentral('SIGKILL')]);
    },
  };
  return site;
}

const configText = (paths: { state: string; provision: string }, repo: string, more: readonly string[]): string =>
  [
    'mode: reseller',
    `reseller_id: ${PARTNER}`,
    `state_dir: ${paths.state}`,
    `provision_dir: ${paths.provision}`,
    `baseline_path: ${join(repo, 'runbooks/baselines/workstation.yaml')}`,
    'poll_interval_s: 1',
    'checks_interval_s: 2',
    'upload_interval_s: 1',
    'heartbeat_interval_s: 3',
    ...more,
    '',
  ].join('\n');
