// Targets with real logons: a Windows machine of the lab, a daemon and Central Command as processes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { md4 } from '../../agent/winrm/md4.ts';
import { openRecords } from '../../central/service/central.ts';
import { until } from '../../tools/demo/process.ts';
import { APPLIANCE, SITE } from '../../tools/demo/site.ts';
import { asMachine } from '../lab/windows-host.ts';
import { startWinRmServer, type WinRmServer } from '../lab/winrm-server/start-winrm-server.ts';
import { linesOnDisk } from '../support/crash-runs.ts';
import { demoSite, REPO } from '../support/demo-site.ts';
import { makeTestCa } from '../support/test-ca.ts';
import { filesIn, spellings } from '../support/secret-spellings.ts';

const PATIENCE_MS = 90_000;
const GOOD = 'Canary-Tr0ub4dor-4711-ok';
const WRONG = 'Canary-Mistyped-0815-no';
const LATER = 'Canary-Replaced-2223-ok';

describe('targets of an appliance', () => {
  const site = demoSite(['log_level: debug']);
  const account = { user: 'svc-check', domain: 'LAB', password: GOOD };
  let machine: WinRmServer;
  /** Of the private key that a target was logged on to with. */
  const keyLines: string[] = [];
  /** Of every process that handled a secret. */
  const seen: Buffer[] = [];

  const setSecret = async (secret: string, ...args: string[]): Promise<void> => {
    const argv = [join(REPO, 'central/main.ts'), 'target', ...args, '--data', site.paths.data, '--json'];
    const child = spawn(process.execPath, argv, { cwd: REPO, stdio: ['pipe', 'pipe', 'pipe'] });
    const said: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => said.push(chunk));
    seen.push(Buffer.from(argv.join('\0')));
    child.stdin.end(`${secret}\n`);
    const [code] = (await once(child, 'close')) as [number];
    seen.push(...said);
    if (code !== 0) throw new Error(Buffer.concat(said).toString());
  };
  const add = (id: string): string[] => [
    ...['add', id, '--appliance', APPLIANCE, '--address', '127.0.0.1', '--port', String(machine.port), '--http'],
    ...['--auth', 'ntlm', '--credential', 'lab-svc', '--role', 'workstation'],
  ];
  /** What the appliance reported last, as Central Command has it. */
  const states = (): string => {
    const records = openRecords(site.paths.data);
    try {
      const health = records.store.checkins.status(APPLIANCE)?.health ?? '{"targets":[]}';
      const { targets } = JSON.parse(health) as { targets: { id: string; state: string }[] };
      return JSON.stringify(Object.fromEntries(targets.map(({ id, state }) => [id, state])));
    } finally {
      records.close();
    }
  };
  /** What helps to see why something does not come. */
  const explain = (): string =>
    `${(site.agentProcess()?.output() ?? '')
      .split('\n')
      .filter((line) => !/checked in|checks done|uploaded|checkpoint/.test(line))
      .slice(-40)
      .join('\n')}\nrefused ${machine.refusedLogons}: ${machine.lastRefusal}; logons ${machine.logons}; ${states()}`;
  const untilStates = (want: Record<string, string>) =>
    until(
      `targets are ${JSON.stringify(want)}`,
      () => (states() === JSON.stringify(want) ? true : null),
      PATIENCE_MS,
      explain,
    );
  const sees = (what: string, look: () => boolean) => until(what, () => look() || null, PATIENCE_MS, explain);
  const policy = async (networks: string): Promise<void> => {
    const file = join(site.paths.state, '..', 'policy.yaml');
    writeFileSync(file, `time_zone: UTC\ntarget_networks: ${networks}\n`);
    await site.central('policy', 'sign', file, '--site', SITE, '--keys', site.paths.keys);
  };

  beforeAll(async () => {
    // A machine that says a password back where it can: in what it prints and in what it complains about.
    machine = await startWinRmServer({
      users: [account],
      handler: async (run) => {
        await run.stdin();
        run.write('stdout', `Set-Password ${account.password}\n`);
        run.write('stderr', `Access for svc-check with ${account.password} was refused\n`);
        return 1;
      },
    });
    await site.provision();
    site.startAgent();
    await site.confirm();
    await site.central('content', 'sign', '--dir', join(REPO, 'runbooks'), '--keys', site.paths.keys);
    await setSecret(GOOD, ...add('pc-1'), '--principal', account.user, '--domain', account.domain);
    await site.central('target', ...add('pc-2').filter((arg) => arg !== '--json'));
  });
  afterAll(() => machine.close());

  it('are reached only where site policy names their network and port', async () => {
    await untilStates({ 'pc-1': 'outside_networks', 'pc-2': 'outside_networks' });
    await policy(`[{ prefix: 127.0.0.0/8, ports: [1] }]`);
    await site.untilStatus('the policy is in force', (s) => s.policy_version === 1);
    expect(machine.connections).toBe(0);
    await policy(`[{ prefix: 127.0.0.0/8, ports: [${machine.port}] }]`);
    await site.untilStatus('the policy is in force', (s) => s.policy_version === 2);
  });

  it('are logged on to with the secret that came sealed, once a list comes that the policy lets through', async () => {
    await untilStates({ 'pc-1': 'ready', 'pc-2': 'ready' });
    await sees('the machine has run something', () => machine.logons > 1);
    const pid = String(site.agentProcess()?.pid);
    seen.push(readFileSync(`/proc/${pid}/cmdline`), readFileSync(`/proc/${pid}/environ`));
    expect(machine.refusedLogons).toBe(0);
    // What ran came with the content list, whose files are all here.
    expect(site.status()?.content_version).toBe(1);
    expect(filesIn(join(site.paths.state, 'content')).length).toBeGreaterThan(10);
  });

  it('are looked at with content that comes again when people order it, where files of it went from the disk', async () => {
    const content = join(site.paths.state, 'content');
    const before = filesIn(content).toSorted();
    const lost = before.slice(0, 2);
    for (const file of lost) rmSync(file);
    const { order_id: id } = await site.issue('sync_content', {});
    const reports = async () => {
      const { orders } = (await site.central('order', 'list')) as {
        orders: { order_id: string; reports: { state: string; outcome: string }[] }[];
      };
      return orders.find((order) => order.order_id === id)?.reports.find(({ state }) => state === 'result') ?? null;
    };
    expect(await until('the order has ended', reports, PATIENCE_MS, explain)).toMatchObject({ outcome: 'success' });
    expect(filesIn(content).toSorted()).toEqual(before);
    const results = linesOnDisk(site).flatMap((line) => {
      const { predicate } = statementOf(line);
      return predicate.kind === 'order' && predicate.state === 'result' ? [predicate] : [];
    });
    expect(results.at(-1)).toMatchObject({
      ...{ order_kind: 'sync_content', outcome: 'success' },
      result: { content_version: 1, policy_version: 2, files: before.length, files_missing: 0 },
    });
  });

  it('see a wrong secret once, however many they are, also after a restart; a signed retry is one more', async () => {
    account.password = LATER;
    await untilStates({ 'pc-1': 'credential_stopped', 'pc-2': 'credential_stopped' });
    await site.untilStatus('status names what is stopped, and why', (s) => {
      const said = s.targets.map(({ id, state, cause }) => `${id} ${state} ${cause}`);
      const why = 'credential_stopped winrm_logon_failed';
      return said.join() === `pc-1 ${why},pc-2 ${why}`;
    });
    await setSecret(WRONG, 'set-secret', 'lab-svc', '--site', SITE);
    // What was good a moment ago was being used on both machines.
    const before = machine.refusedLogons;
    expect(before).toBeLessThanOrEqual(2);
    await sees('one machine has seen the next version', () => machine.refusedLogons > before);
    await untilStates({ 'pc-1': 'credential_stopped', 'pc-2': 'credential_stopped' });
    const refused = before + 1;
    await site.endAgent('SIGKILL');
    site.startAgent();
    const { read_at: restarted } = (await site.untilStatus('it has looked again', (s) => s.findings.length > 3))
      .findings[0]!;
    await untilStates({ 'pc-1': 'credential_stopped', 'pc-2': 'credential_stopped' });
    await site.untilStatus('it goes on', (s) => s.findings.some((f) => f.read_at > restarted + 3));
    expect(machine.refusedLogons).toBe(refused);

    const asked = { credential_id: 'lab-svc', credential_version: 2 };
    const first = await site.issue('retry_credentials', asked);
    await sees('the retry was seen by the machine', () => machine.refusedLogons === refused + 1);
    const second = await site.issue('retry_credentials', asked);
    const ended = async (id: string) => {
      const { orders } = (await site.central('order', 'list')) as {
        orders: { order_id: string; reports: { state: string; outcome: string; code: string }[] }[];
      };
      const done = orders.find((order) => order.order_id === id)?.reports.find(({ state }) => state === 'result');
      return done === undefined ? null : `${done.outcome} ${done.code}`.trim();
    };
    const result = (id: string) => until(`order ${id} has ended`, () => ended(id), PATIENCE_MS);
    expect([await result(first.order_id), await result(second.order_id)]).toEqual([
      'success',
      'failed credential_retry_too_soon',
    ]);
    await untilStates({ 'pc-1': 'credential_stopped', 'pc-2': 'credential_stopped' });
    expect(machine.refusedLogons).toBe(refused + 1);
  });

  it('are reached again with the next version of the secret, without anybody asking', async () => {
    const before = machine.logons;
    await setSecret(LATER, 'set-secret', 'lab-svc', '--site', SITE);
    await untilStates({ 'pc-1': 'ready', 'pc-2': 'ready' });
    await sees('the machine has run something', () => machine.logons > before);
    await sees('the alert is cleared', () => {
      const alerts = linesOnDisk(site).flatMap((line) => {
        const { predicate } = statementOf(line);
        return predicate.kind === 'alert' && predicate.code === 'credential_stopped' ? [predicate.state] : [];
      });
      return alerts.at(-1) === 'cleared';
    });
  });

  it('are logged on to with a client certificate, and pinned: another machine in the place is named and runs nothing', async () => {
    const ca = await makeTestCa();
    const notAfter = new Date(Date.now() + 10 * 86_400_000);
    const [tls, client] = await Promise.all([
      ca.issueServer({ notAfter }),
      ca.issueClient({ cn: 'agent', upn: 'agent@srv-3' }),
    ]);
    keyLines.push(...client.keyPem.split('\n').filter((line) => line.length > 20 && !line.startsWith('-')));
    let sid = 'S-1-5-21-1-2-3';
    const ran: string[] = [];
    const server = await startWinRmServer({
      users: [],
      tls,
      certificates: {
        caPem: ca.caPem,
        asks: 'renegotiation',
        mappings: [{ issuerPem: ca.caPem, subject: 'agent@srv-3', user: 'agent' }],
      },
      handler: asMachine(
        () => Promise.resolve(ran.push(sid)),
        () => sid,
      ),
    });
    try {
      const caFile = join(site.paths.state, '..', 'clinic-ca.crt');
      writeFileSync(caFile, ca.caPem);
      await setSecret(
        (client.keyPem + client.certPem).trim(),
        ...['add', 'srv-3', '--appliance', APPLIANCE, '--address', '127.0.0.1', '--port', String(server.port)],
        ...['--hostname', 'localhost', '--auth', 'certificate', '--tls-ca', caFile, '--credential', 'srv-3-cert'],
        ...['--principal', 'agent@srv-3', '--role', 'member-server'],
      );
      await policy(`[{ prefix: 127.0.0.0/8, ports: [${machine.port}, ${server.port}] }]`);
      await sees('scripts ran there', () => ran.length > 0);
      expect(server).toMatchObject({ refusedLogons: 0 });
      await untilStates({ 'pc-1': 'ready', 'pc-2': 'ready', 'srv-3': 'ready' });
      sid = 'S-1-5-21-4-5-6';
      await site.central(
        ...['order', 'issue', '--appliance', APPLIANCE, '--kind', 'run_check', '--target', 'srv-3'],
        ...['--params', '{"checks":["windows_av"]}'],
      );
      await untilStates({ 'pc-1': 'ready', 'pc-2': 'ready', 'srv-3': 'other_machine' });
      await site.untilStatus('status names it, and why', (s) =>
        s.targets.some(
          ({ id, state, cause }) => `${id} ${state} ${cause}` === 'srv-3 other_machine target_identity_differs',
        ),
      );
      expect(new Set(ran)).toEqual(new Set(['S-1-5-21-1-2-3']));
      const unseen = linesOnDisk(site).flatMap((line) => {
        const { predicate } = statementOf(line);
        return predicate.kind === 'finding' && predicate.target?.id === 'srv-3' ? [predicate.facts['unseen']] : [];
      });
      expect(unseen).toContain('other_machine');
    } finally {
      await server.close();
    }
  });

  it('are named while the certificate that they showed ends soon, after a restart without a contact too, until they are removed', async () => {
    const said =
      /^Target srv-3: the certificate that it shows over TLS ends on \d{4}-\d\d-\d\d: from then on there is no contact\.$/;
    const isNamed = (s: { warnings: readonly string[] }): boolean => s.warnings.some((warning) => said.test(warning));
    await site.untilStatus('status names it', isNamed);
    await site.endAgent('SIGKILL');
    site.startAgent();
    // The machine is away now.
    const pid = site.agentProcess()?.pid;
    await site.untilStatus('status names it again', (s) => s.pid === pid && s.targets.length > 0 && isNamed(s));
    await site.central('target', 'remove', 'srv-3', '--appliance', APPLIANCE);
    await site.untilStatus('status does not name it any more', (s) => s.pid === pid && !isNamed(s));
    const alerts = linesOnDisk(site).flatMap((line) => {
      const { predicate } = statementOf(line);
      return predicate.kind === 'alert' && predicate.code === 'target_certificate_ends' ? [predicate] : [];
    });
    expect(alerts).toMatchObject([
      { state: 'raised', severity: 'low', details: { target: 'srv-3' } },
      { state: 'cleared', severity: 'low', details: { target: 'srv-3' } },
    ]);
    expect(Object.keys(alerts[0]?.details ?? {}).toSorted()).toEqual(['ends_at', 'target']);
    const { output } = await site.cli('tickets', 'list');
    expect(output).toContain('target_certificate_ends');
  });

  it('leave no secret anywhere: state, log, evidence, status, database, environment, command lines, output', async () => {
    for (const verb of [['status'], ['evidence', 'list', '--lines'], ['orders']]) {
      seen.push(Buffer.from((await site.cli(...verb, '--json')).output));
    }
    for (const verb of ['audit', 'target']) {
      seen.push(Buffer.from(JSON.stringify(await site.central(verb, 'list'))));
    }
    await site.endAgent('SIGTERM');
    await site.endCentral('SIGTERM');
    const secrets = [GOOD, WRONG, LATER, ...keyLines].map((text) => Buffer.from(text));
    const hashes = [GOOD, WRONG, LATER].map((text) => md4(Buffer.from(text, 'utf16le')));
    const canaries = [...secrets.flatMap(spellings), ...hashes.flatMap((h) => [h, Buffer.from(h.toString('hex'))])];
    const found = (bytes: Buffer): boolean => canaries.some((canary) => bytes.includes(canary));
    // The search finds what is there.
    expect(found(Buffer.concat([Buffer.from('x'), secrets[1]!]))).toBe(true);
    const files = filesIn(join(site.paths.state, '..'));
    expect(files.some((path) => path.endsWith('agent.log')) && files.some((path) => path.endsWith('central.db'))).toBe(
      true,
    );
    expect(files.filter((path) => found(readFileSync(path)))).toEqual([]);
    expect(seen.filter(found)).toEqual([]);
  });
});
