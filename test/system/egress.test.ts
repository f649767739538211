// What leaves an appliance, with real packets over a real cable: the units, the table and the drop-in of the module, nftables.service
// of this system, the real agent as root's refresher. One container; each test leaves it as the next one says that it begins.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EgressState } from '../../agent/egress/egress-state.ts';
import type { FirewallFacts } from '../../agent/facts/firewall.ts';
import type { ExecResult } from '../../agent/system/ports.ts';
import { until } from '../../tools/demo/process.ts';
import {
  AGENT,
  applianceBox,
  applianceBoxProblem,
  NODE,
  STATE_DIR,
  type ApplianceBox,
} from '../support/appliance-box.ts';
import { helperTrust } from '../support/helper-fixtures.ts';
import { FARTHER, openOutside, OUTSIDE, type Outside, type Way } from '../support/outside.ts';

const problem = applianceBoxProblem();
const TABLE = 'compliance-agent-egress';
const HELD = '/var/lib/compliance-agent-helpers';
const REFRESHER = 'compliance-agent-egress.service';
const DEADLINE_MS = 30_000;
const [AGENT_UID, ROOT, RESOLVER, TIME_SYNC, SOMEBODY] = [396, 0, 153, 154, 65_534];

const CENTRAL: Way[] = [`tcp ${OUTSIDE.four} 8443`, `tcp ${OUTSIDE.six} 8443`];
const NAMES: Way[] = [`udp ${OUTSIDE.four} 53`, `udp ${OUTSIDE.six} 53`];
const TIME: Way[] = [`udp ${OUTSIDE.four} 123`, `udp ${OUTSIDE.six} 123`];
const CACHE: Way[] = [`tcp ${OUTSIDE.four} 443`, `tcp ${OUTSIDE.six} 443`];
const TARGETS: Way[] = [`tcp ${FARTHER.four} 5986`, `tcp ${FARTHER.six} 5986`];
const SIEM: Way[] = [`tcp ${FARTHER.four} 6514`];
const KERBEROS: Way[] = [`udp ${FARTHER.four} 88`];
const ALL = [...CENTRAL, ...NAMES, ...TIME, ...CACHE, ...TARGETS, ...SIEM, ...KERBEROS];

/** A machine that speaks with itself. */
const TO_ITSELF = `
  const net = require('node:net');
  const server = net.createServer((s) => s.end('hello')).listen(0, '::1', () => {
    net.connect(server.address().port, '::1').on('data', (data) => (process.stdout.write(data), process.exit()));
  });`;

const trust = helperTrust(Math.floor(Date.now() / 1_000), 'egress');
const POLICY = {
  target_networks: [
    { prefix: '198.51.100.0/24', ports: [5986, 88] },
    { prefix: '2001:db8:1::/64', ports: [5986] },
    // Overlaps, and one that no site has.
    { prefix: '198.51.100.0/30', ports: [5986] },
    { prefix: '0.0.0.0/0', ports: [5986] },
  ],
  outputs: [
    { id: 'siem', kind: 'syslog' as const, host: 'siem.test', port: 6514, events: [] },
    { id: 'gone', kind: 'webhook' as const, host: 'gone.invalid', port: 443, events: [] },
  ],
};

let box: ApplianceBox;
let outside: Outside;
beforeAll(async () => {
  if (problem !== null) return;
  box = await applianceBox({
    settings:
      'egress = true; egressRefreshS = 5; centralUrl = "https://central.test:8443"; rootHosts = [ "cache.test" ];',
    files: {
      [`/etc/systemd/system/${REFRESHER}.d/hold.conf`]: '[Unit]\nConditionPathExists=!/run/hold\n',
      // As a mistake leaves it.
      '/etc/nftables.conf':
        'table inet broken { chain output { type filter hook output priority filter; policy drup; } }\n',
      '/etc/hosts': [
        '127.0.0.1 localhost',
        ...[OUTSIDE.four, OUTSIDE.six].map((address) => `${address} central.test cache.test`),
        `${FARTHER.four} siem.test`,
      ].join('\n'),
    },
  });
  outside = await openOutside(box);
});
beforeEach((context) => context.skip(problem !== null, problem ?? ''));
afterAll(() => (problem === null ? box.close() : undefined));

const systemctl = async (...words: string[]): Promise<number | null> =>
  (await box.exec.run(['systemctl', ...words], { deadlineMs: DEADLINE_MS })).code;
/** Keeps the refresher from its work; a run that has begun ends before. */
function hold(): void {
  box.run(['touch', '/run/hold']);
  box.run(['systemctl', 'stop', REFRESHER]);
}
const letGo = (): string => box.run(['rm', '/run/hold']);
/** As a unit with its own /proc sees the boot, which in a container has another id. */
const egressShow = (): Promise<ExecResult> =>
  box.exec.run(['systemd-run', '--quiet', '--pipe', '--wait', '-p', 'ProtectProc=invisible', AGENT, 'egress', 'show'], {
    deadlineMs: DEADLINE_MS,
  });
/** The ways of these that are open for the user. */
async function open(uid: number, ways: readonly Way[] = ALL): Promise<Way[]> {
  const found = await outside.ask(uid, ways);
  return ways.filter((way) => found[way] === 'open');
}
/** Exactly these of `asked` are open. An answer may be late on a busy machine; a way that is open against the rules stays so. */
async function leaves(uid: number, ways: readonly Way[], asked: readonly Way[] = ALL): Promise<void> {
  let found = await open(uid, asked);
  for (let left = 4; left > 0 && ways.some((way) => !found.includes(way)); left -= 1) found = await open(uid, asked);
  expect(found).toEqual(ways);
}
const untilOpen = (uid: number, ways: readonly Way[]): Promise<unknown> =>
  until(
    `open for ${uid}: ${ways.join(', ')}`,
    async () => ((await open(uid, ways)).length === ways.length ? true : null),
    60_000,
    () => box.run(['journalctl', '-n', '30', '-o', 'cat', '--no-pager']),
  );
const untilClosed = (uid: number, ways: readonly Way[]): Promise<unknown> =>
  until(`closed for ${uid}`, async () => ((await open(uid, ways)).length === 0 ? true : null), 90_000);
const state = (): EgressState => JSON.parse(box.run(['cat', '/run/compliance-agent/egress/state.json'])) as EgressState;
const tables = (): string[] => box.run(['nft', 'list', 'tables']).trim().split('\n').filter(Boolean);
async function firewall(): Promise<FirewallFacts> {
  const { stdout, stderr } = await box.exec.run([AGENT, 'facts', 'firewall', '--json'], { deadlineMs: DEADLINE_MS });
  const text = stdout.toString();
  const said = JSON.parse(text) as { facts?: { firewall: { value: FirewallFacts } } };
  if (said.facts === undefined) throw new Error(`${text}${stderr.toString()}`);
  return said.facts.firewall.value;
}
const digest = async (): Promise<string | undefined> =>
  (await firewall()).tables.find(({ name }) => name === TABLE)?.sha256;

describe('what leaves the appliance', () => {
  it('is nothing at all where the ruleset does not load: the table that drops everything is in force', async () => {
    await untilOpen(SOMEBODY, ALL);
    expect(await systemctl('start', 'nftables.service')).not.toBe(0);
    await until(
      'the way out is closed',
      () => (tables().includes(`table inet ${TABLE}-closed`) ? true : null),
      DEADLINE_MS,
    );
    expect(tables()).toEqual([`table inet ${TABLE}-closed`]);
    for (const uid of [ROOT, AGENT_UID, RESOLVER, SOMEBODY]) await leaves(uid, []);
    expect(box.run([NODE, '-e', TO_ITSELF])).toBe('hello');
  });

  it('is what this machine needs alone, once the table is loaded, until the refresher has run', async () => {
    hold();
    box.run(['cp', `/etc/nftables/${TABLE}.nft`, '/etc/nftables.conf']);
    expect(await systemctl('start', 'nftables.service')).toBe(0);
    box.run(['nft', 'delete', 'table', 'inet', `${TABLE}-closed`]);
    await leaves(AGENT_UID, []);
    await leaves(ROOT, []);
    await leaves(SOMEBODY, []);
    await leaves(RESOLVER, NAMES);
    await leaves(TIME_SYNC, TIME);
  });

  it('tells the daemon at once that a way is closed, instead of letting it wait', async () => {
    // The kernel takes the second refusal for IPv6: a second later.
    const found = await outside.ask(AGENT_UID, CENTRAL, { waitMs: 20_000 });
    expect(Object.values(found)).toEqual(['EHOSTUNREACH', 'EACCES']);
  });

  it('is Central Command for the agent, and for root the cache too, once the refresher ran, and nothing for others', async () => {
    letGo();
    // What was closed is opened only with the table that drops the rest.
    box.run(['nft', '-f', '/etc/compliance-agent/egress-closed.nft']);
    expect(await systemctl('start', REFRESHER)).toBe(0);
    expect(tables()).toEqual([`table inet ${TABLE}`]);
    await leaves(AGENT_UID, CENTRAL);
    await leaves(ROOT, [...CENTRAL, ...CACHE]);
    await leaves(SOMEBODY, []);
    await leaves(RESOLVER, NAMES);
    expect(state()).toMatchObject({ problem: null, policy_version: null, warnings: [] });
    expect((await egressShow()).stdout.toString()).toMatch(
      /central\.test +tcp\/8443 +192\.0\.2\.1 +\d+ s +central_command/,
    );
  });

  it('is the same from the sandbox of the daemon, where names resolve as for everybody', async () => {
    const { result, output } = await box.probe(`
      import { connect } from 'node:net';
      const reach = (host, port) => new Promise((done) => {
        const socket = connect({ host, port, family: 4 });
        socket.on('connect', () => (socket.destroy(), done('open'))).on('error', ({ code }) => done(code));
      });
      console.log(JSON.stringify([await reach('central.test', 8443), await reach('central.test', 443)]));
      process.exit();`);
    expect([result, output]).toEqual(['success', '["open","EHOSTUNREACH"]']);
  });

  it('is what a new signed policy names too, without anybody who starts the refresher, and no network wider than a site', async () => {
    await systemctl('start', 'compliance-agent-egress.path');
    const hold = (name: string, line: string): void => {
      writeFileSync(join(box.root, HELD, `${name}.json`), `${line}\n`, { mode: 0o600 });
    };
    mkdirSync(join(box.root, HELD), { recursive: true, mode: 0o700 });
    const runs = {};
    const time = { server_time: trust.now, boot_ms: 0, boot_id: 'x' };
    hold('state', JSON.stringify({ schema: 'compliance-agent/helper-state/v1', time, runs, slot: null }));
    hold('root', trust.root(1));
    hold('binding', trust.binding());
    // Written as sync-trust does it, so that it is there whole or not at all.
    hold('next', trust.policy(1, POLICY));
    box.run(['mv', `${HELD}/next.json`, `${HELD}/policy.json`]);
    await untilOpen(AGENT_UID, [...CENTRAL, ...TARGETS, ...SIEM, ...KERBEROS]);
    await leaves(AGENT_UID, [...CENTRAL, ...TARGETS, ...SIEM, ...KERBEROS]);
    await leaves(ROOT, [...CENTRAL, ...CACHE]);
    await leaves(SOMEBODY, []);
    const { warnings, doors } = state();
    expect(warnings).toEqual([expect.stringContaining('gone.invalid'), expect.stringContaining('0.0.0.0/0')]);
    expect(doors.find(({ host }) => host === 'gone.invalid')?.addresses).toEqual([]);
    const lines = box.run(['journalctl', '-u', REFRESHER, '-p', 'warning', '-o', 'cat', '--no-pager']).split('\n');
    expect(lines.filter((line) => line.includes('gone.invalid'))).toHaveLength(1);
  });

  it('does not change the digest of the table, and a rule of somebody else does', async () => {
    const before = await digest();
    expect(before).toMatch(/^[0-9a-f]{64}$/);
    const fresh = box.run([
      'unshare',
      '--net',
      'sh',
      '-c',
      `nft -f /etc/nftables.conf && ${AGENT} facts firewall --json`,
    ]);
    expect(fresh).toContain(before);
    box.run(['nft', 'insert', 'rule', 'inet', TABLE, 'output', 'accept']);
    expect(await digest()).not.toBe(before);
    box.run(['systemctl', 'reload', 'nftables.service']);
    expect(await digest()).toBe(before);
  });

  it('is closed by a reload of the rules, and open again since that starts the refresher', async () => {
    await untilOpen(AGENT_UID, [...CENTRAL, ...TARGETS]);
    hold();
    box.run(['systemctl', 'reload', 'nftables.service']);
    await leaves(AGENT_UID, []);
    letGo();
    box.run(['systemctl', 'reload', 'nftables.service']);
    await untilOpen(AGENT_UID, [...CENTRAL, ...TARGETS]);
  });

  it('closes at once where the policy does not verify any more, while Central Command stays open', async () => {
    const line = trust.trust.sign('sitePolicy', trust.trust.policy({ version: 2, ...POLICY }));
    const forged = line.replace(/"sig":"..../, '"sig":"AAAA');
    expect(forged).not.toBe(line);
    writeFileSync(join(box.root, HELD, 'policy.json'), `${forged}\n`);
    await untilClosed(AGENT_UID, [...TARGETS, ...SIEM, ...KERBEROS]);
    await leaves(AGENT_UID, CENTRAL);
    expect(state().warnings).toEqual([expect.stringContaining('the site policy opens nothing')]);
  });
});

describe('a daemon that was taken over', () => {
  const asDaemon = async (...argv: [string, ...string[]]): Promise<number | null> =>
    (await box.execAs(AGENT_UID).run(argv, { deadlineMs: DEADLINE_MS })).code;

  it('opens no door: not in the kernel, not by files, not by starting what opens doors', async () => {
    const element = ['add', 'element', 'inet', TABLE, 'agent_hosts4', `{ ${FARTHER.four} . tcp . 6514 }`];
    const mine = `${STATE_DIR}/provision`;
    box.run(['install', '-d', '-o', '396', '-g', '396', mine]);
    const clinic = `central_url: https://${FARTHER.four}:6514`;
    expect(await asDaemon('sh', '-c', `echo '${clinic}' > ${mine}/clinic.yaml`)).toBe(0);
    expect(await asDaemon('nft', ...element)).not.toBe(0);
    for (const path of [
      `${HELD}/policy.json`,
      '/run/compliance-agent/egress/state.json',
      '/etc/nftables.conf',
      '/etc/hosts',
    ]) {
      expect(await asDaemon('sh', '-c', `echo x >> ${path}`)).not.toBe(0);
    }
    for (const unit of [REFRESHER, 'compliance-agent-egress.timer', 'nftables.service']) {
      for (const verb of ['start', 'stop', 'reload-or-restart']) {
        expect(await asDaemon('systemctl', '--no-ask-password', verb, unit)).not.toBe(0);
      }
    }
    expect(await asDaemon(AGENT, 'egress', 'refresh')).not.toBe(0);
    expect(await systemctl('restart', REFRESHER)).toBe(0);
    await leaves(AGENT_UID, CENTRAL);
  });

  it('names no other Central Command by provisioning files of its own, where the configuration names none', async () => {
    const config = box.run(['cat', '/etc/compliance-agent/config.yaml']);
    box.run(['tee', '/etc/compliance-agent/config.yaml'], config.replace(/^central_url.*\n/m, ''));
    expect(await systemctl('restart', '--no-block', REFRESHER)).toBe(0);
    await until('it is said', () => (state().problem?.code === 'egress_central_unknown' ? true : null), DEADLINE_MS);
    await untilClosed(AGENT_UID, [...CENTRAL, ...SIEM]);
    // The same file from root's hands opens the door.
    const ours = '/var/lib/compliance-agent-provision';
    box.run(['install', '-d', '-m', '0750', '-g', '396', ours]);
    box.run(['tee', `${ours}/clinic.yaml`], `central_url: https://central.test:8443\r\n`);
    const moved = config.replace(/^central_url.*\n/m, '').replace(/^provision_dir.*$/m, `provision_dir: ${ours}`);
    box.run(['tee', '/etc/compliance-agent/config.yaml'], moved);
    expect(await systemctl('restart', REFRESHER)).toBe(0);
    await untilOpen(AGENT_UID, CENTRAL);
    box.run(['tee', '/etc/compliance-agent/config.yaml'], config);
  });
});

describe('a door', () => {
  it('closes by itself where the refresher is dead, and the fact of the firewall says so', async () => {
    await systemctl('restart', REFRESHER);
    await untilOpen(AGENT_UID, CENTRAL);
    expect((await firewall()).egressRefresh).toBe('current');
    await systemctl('stop', 'compliance-agent-egress.timer', 'compliance-agent-egress.path', REFRESHER);
    await untilClosed(AGENT_UID, CENTRAL);
    await until('late', async () => ((await firewall()).egressRefresh === 'late' ? true : null), DEADLINE_MS);
    await systemctl('start', 'compliance-agent-egress.timer');
    await untilOpen(AGENT_UID, CENTRAL);
  });

  it('is not left open by who stops the rules: that is refused', async () => {
    expect(await systemctl('stop', 'nftables.service')).not.toBe(0);
    expect(await systemctl('restart', 'nftables.service')).not.toBe(0);
    await leaves(SOMEBODY, [], CENTRAL);
  });

  it('is shut by the refresher where the table is gone, until the rules are loaded again', async () => {
    box.run(['nft', 'flush', 'ruleset']);
    await until('it is shut', () => (tables().includes(`table inet ${TABLE}-closed`) ? true : null), 60_000);
    await leaves(SOMEBODY, []);
    await until('it is said', () => (state().problem?.code === 'egress_not_loaded' ? true : null), DEADLINE_MS);
    const shown = await egressShow();
    expect([shown.code, shown.stdout.toString()]).toEqual([3, expect.stringContaining('egress_not_loaded')]);
    box.run(['systemctl', 'reload', 'nftables.service']);
    await untilOpen(AGENT_UID, CENTRAL);
    expect(tables()).toEqual([`table inet ${TABLE}`]);
  });
});
