// The demo's Windows machine: a WinRM server of the lab whose scripts answer as real PowerShell did (or does, where there is
// one). Drift is found, a disruptive order waits for two signatures and the window, then heals and is verified.
import { createHash, X509Certificate } from 'node:crypto';
import { cpSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import type { PredicateOf } from '../../agent/wire/schemas/entry.ts';
import { findPowerShell } from '../../test/lab/powershell.ts';
import { Recordings } from '../../test/lab/recordings.ts';
import { replayHost, type ReplayHost } from '../../test/lab/replay-host.ts';
import { firewall } from '../../test/lab/scenarios/firewall.ts';
import { startWinRmServer, type WinRmServer } from '../../test/lab/winrm-server/start-winrm-server.ts';
import { makeTestCa } from '../../test/support/test-ca.ts';
import { run, until } from './process.ts';
import type { Report } from './report.ts';
import { APPLIANCE, SITE, type Site } from './site.ts';

const TLS_LIFE_MS = 365 * 86_400_000;
const SHELL_GONE_MS = 60_000;

const RUNBOOK = 'RB-WIN-FIREWALL-001';
const CHECK = 'windows_firewall';
const TARGET = 'srv-files';
const SCENARIO = 'healed-by-order';
const PASSWORD = 'demo only: Grüße';
const ACCOUNT = { user: 'svc-compliance', domain: 'CLINIC', password: PASSWORD };
/** Two rounds of the slowest step, on a busy machine. */
const PATIENCE_MS = 60_000;

const DAYS = '[mon, tue, wed, thu, fri, sat, sun]';
const CLOSED = 'windows: []';
/** Open around the clock, in two windows that overlap at midnight. */
const OPEN = `windows:
  - { days: ${DAYS}, start: "00:00", end: "23:59" }
  - { days: ${DAYS}, start: "23:58", end: "00:01" }`;

export interface WindowsPart {
  readonly site: Site;
  readonly report: Report;
  readonly repo: string;
  /** A folder for what is made here. */
  readonly dir: string;
  /** Ids of the two persons whose keys lie in the site's folder of keys. */
  readonly persons: readonly [string, string];
}

export async function windowsHealed(o: WindowsPart): Promise<void> {
  const scenario = firewall.scenarios.find(({ name }) => name === SCENARIO);
  if (scenario === undefined) throw new Error(`there is no scenario ${SCENARIO}`);
  const powershell = findPowerShell();
  const recordings = new Recordings(`${RUNBOOK}/${SCENARIO}`, powershell === null ? 'replay' : 'real', powershell);
  const host = replayHost(firewall, scenario, recordings);
  // Long enough that nobody is warned of its end.
  const tls = await (await makeTestCa()).issueServer({ notAfter: new Date(Date.now() + TLS_LIFE_MS) });
  const server = await startWinRmServer({ users: [ACCOUNT], handler: host.handler, tls });
  try {
    o.report.section('Drift on a Windows server');
    const how =
      powershell === null ? 'answer as recorded in real PowerShell' : `run in PowerShell ${powershell.version}`;
    await beginWindows(o, server, pinOf(tls.certPem));
    await found(o, host, how);
    o.report.section('A disruptive order, two signatures and the window');
    const digest = await authorised(o, `spki:${pinOf(tls.certPem)}`);
    await healed(o, host, digest);
    // A look may be under way at this moment; between two looks nothing is left.
    await until('no shell is left on the machine', () => (server.liveShells === 0 ? true : null), SHELL_GONE_MS);
  } finally {
    await server.close();
  }
}

const pinOf = (certPem: string): string =>
  createHash('sha256')
    .update(new X509Certificate(certPem).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');

async function policy({ site, dir }: WindowsPart, port: number, windows: string): Promise<void> {
  const file = join(dir, 'policy.yaml');
  writeFileSync(file, `time_zone: UTC\ntarget_networks: [{ prefix: 127.0.0.0/8, ports: [${port}] }]\n${windows}\n`);
  await site.central('policy', 'sign', file, '--site', SITE, '--keys', site.paths.keys);
}

let portOfMachine = 0;

/** Content with this one Windows runbook, which need not stay stable for two minutes here; then the machine as a target. */
async function beginWindows(o: WindowsPart, server: WinRmServer, pin: string): Promise<void> {
  const { site, repo, dir } = o;
  const content = join(dir, 'content');
  for (const part of ['baselines', 'controls', 'rules', join('windows', RUNBOOK)]) {
    cpSync(join(repo, 'runbooks', part), join(content, part), { recursive: true });
  }
  const yaml = join(content, 'windows', RUNBOOK, 'runbook.yaml');
  writeFileSync(yaml, readFileSync(yaml, 'utf8').replace(/stable_for_s: \d+/, 'stable_for_s: 1'));
  await site.central('content', 'sign', '--dir', content, '--keys', site.paths.keys);
  portOfMachine = server.port;
  await policy(o, server.port, CLOSED);
  const argv = [
    ...[process.execPath, join(repo, 'central/main.ts'), 'target', 'add', TARGET, '--appliance', APPLIANCE],
    ...['--address', '127.0.0.1', '--hostname', 'localhost', '--port', String(server.port), '--tls-spki', pin],
    ...['--auth', 'ntlm', '--credential', 'clinic-svc', '--role', 'member-server'],
    ...['--principal', ACCOUNT.user, '--domain', ACCOUNT.domain, '--data', site.paths.data, '--json'],
  ] as unknown as [string, ...string[]];
  const { code, output } = await run(argv, { cwd: repo, env: {}, stdin: `${PASSWORD}\n` });
  if (code !== 0) throw new Error(`target add ended with ${code}:\n${output}`);
}

async function found({ site, report }: WindowsPart, host: ReplayHost, how: string): Promise<void> {
  const { findings } = await site.untilStatus(
    'the drift is found',
    (s) => s.findings.some((f) => f.target === TARGET && f.check === CHECK && f.result === 'fail'),
    PATIENCE_MS,
  );
  const finding = findings.find((f) => f.target === TARGET && f.check === CHECK);
  report.seen(`over WinRM, with a password that came sealed with a check-in; the machine's scripts ${how}`);
  report.item('fail', `${TARGET}: ${CHECK}: ${finding?.sentence ?? ''}`);
  if (host.phases.some((phase) => phase !== 'detect')) throw new Error('something was changed without an order');
  report.seen('it was looked at again and again, and nothing was changed');
}

/** Digest of what two persons signed, each with a key of their own. */
async function authorised(o: WindowsPart, identity: string): Promise<string> {
  const { site, report, repo, dir, persons } = o;
  const file = join(dir, 'firewall.json');
  const wish = ['--kind', 'run_runbook', '--runbook', RUNBOOK, '--target', `${TARGET}=${identity}`, '--out', file];
  await site.central('authorise', 'draft', '--appliance', APPLIANCE, ...wish);
  const payload = (JSON.parse(readFileSync(file, 'utf8')) as { payload: string }).payload;
  for (const person of persons) {
    const keys = join(dir, person);
    mkdirSync(keys, { mode: 0o700 });
    copyFileSync(join(site.paths.keys, `operator-${person}.pem`), join(keys, `operator-${person}.pem`));
    const argv = [process.execPath, join(repo, 'central/main.ts'), 'authorise', 'sign', file, '--yes', '--keys', keys];
    const { code, output } = await run(argv as [string, ...string[]], { cwd: dir, env: {} });
    if (code !== 0) throw new Error(`authorise sign ended with ${code}:\n${output}`);
  }
  const published = (await site.central('authorise', 'publish', file)) as { persons: string[] };
  report.seen(`${published.persons.join(' and ')} signed it: ${RUNBOOK} on ${TARGET}, known by its key, in the window`);
  return createHash('sha256').update(Buffer.from(payload, 'base64')).digest('hex');
}

async function healed(o: WindowsPart, host: ReplayHost, digest: string): Promise<void> {
  const { site, report } = o;
  const before = site.status()?.last_answer_at ?? 0;
  await site.untilStatus('two more answers came', (s) => (s.last_answer_at ?? 0) > before + 1, PATIENCE_MS);
  if (host.phases.some((phase) => phase !== 'detect')) throw new Error('something was changed outside the window');
  report.seen('the maintenance window is closed: nothing is ordered, nothing is changed');
  await policy(o, portOfMachine, OPEN);
  const result = await until(
    'the runbook has its result',
    () => actionOf(site, 'result'),
    PATIENCE_MS,
    () => JSON.stringify(host.phases.filter((phase) => phase !== 'detect')),
  );
  if (result.outcome !== 'success') throw new Error(`the runbook ended as ${result.outcome} (${result.code})`);
  if (result.authorisation_digest !== digest) throw new Error('the entry names another authorisation');
  for (const sentence of result.actions) report.item('', sentence);
  report.seen(`the window opened: planned, changed, confirmed over a new connection, verified: ${result.outcome}`);
  report.seen(`intent and result are in the log under what both signed, ${digest.slice(0, 16)}…`);
  await site.untilStatus(
    'the next look finds it healed',
    (s) => s.findings.some((f) => f.target === TARGET && f.check === CHECK && f.result === 'pass'),
    PATIENCE_MS,
  );
  report.seen('the next look on schedule passes');
}

/** The first `action` entry of that phase in the log of the appliance. */
async function actionOf(site: Site, phase: 'intent' | 'result'): Promise<PredicateOf<'action'> | null> {
  const { code, output } = await site.cli('evidence', 'list', '--lines');
  if (code !== 0) throw new Error(`evidence list ended with ${code}:\n${output}`);
  for (const line of output.split('\n').filter((one) => one.startsWith('{'))) {
    const { predicate } = statementOf(line);
    if (predicate.kind === 'action' && predicate.phase === phase) return predicate;
  }
  return null;
}
