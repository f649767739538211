import { describe, expect, it } from 'vitest';
import type { OpenDoor } from '../../../agent/egress/egress-state.ts';
import { openingText } from '../../../agent/egress/nft-text.ts';
import { networkRanges } from '../../../agent/egress/networks.ts';
import {
  MAX_ADDRESSES,
  MAX_KEPT_ADDRESSES,
  namesOf,
  planDoors,
  THIS_MACHINE,
  type Resolved,
} from '../../../agent/egress/plan-doors.ts';
import { wantedDoors, type Door } from '../../../agent/egress/wanted-doors.ts';
import { makeTrust } from '../../support/trust-fixtures.ts';

const CONFIG = { allowed_hosts: [], root_hosts: [], timestamp_url: null };
const TTL_MS = 360_000;
const door = (host: string): Door => ({ who: 'agent', host, ports: [{ protocol: 'tcp', port: 443 }], why: ['x'] });
const plan = (
  doors: readonly Door[],
  resolved: Readonly<Record<string, Resolved>>,
  before: readonly OpenDoor[] = [],
  nowMs = 1_000_000,
) => planDoors(doors, { resolved: new Map(Object.entries(resolved)), before, nowMs, ttlMs: TTL_MS });

describe('what is to be open', () => {
  const described = (...args: Parameters<typeof wantedDoors>): string[] =>
    wantedDoors(...args).doors.map(
      ({ who, host, ports, why }) => `${who} ${host} ${ports.map(({ port }) => port).join('+')} (${why.join(', ')})`,
    );

  it('is Central Command alone, for the agent and for a technician who is root, where neither configuration nor policy name anything', () => {
    expect(described(CONFIG, 'https://central.example', null)).toEqual([
      'agent central.example 443 (central_command)',
      'root central.example 443 (central_command)',
    ]);
    expect(described(CONFIG, 'https://[2001:db8::1]:8443', null)).toEqual([
      'agent 2001:db8::1 8443 (central_command)',
      'root 2001:db8::1 8443 (central_command)',
    ]);
    expect(wantedDoors(CONFIG, null, null)).toEqual({ doors: [], networks: [] });
  });

  it('is what the configuration names, for the daemon and for root apart, one door for each host', () => {
    const config = {
      allowed_hosts: ['proxy.example', 'Central.example:9000', '[2001:db8::2]:25'],
      root_hosts: ['cache.example', 'central.example'],
      timestamp_url: 'http://tsa.example/stamp',
    };
    expect(described(config, 'https://central.example', null)).toEqual([
      'agent central.example 443+9000 (central_command, allowed_hosts)',
      'root central.example 443 (central_command, root_hosts)',
      'agent tsa.example 80 (timestamp_url)',
      'agent proxy.example 443 (allowed_hosts)',
      'agent 2001:db8::2 25 (allowed_hosts)',
      'root cache.example 443 (root_hosts)',
    ]);
  });

  it('is what the policy names: outputs that have a host, the planner, the timestamp authority, networks', () => {
    const output = { port: 443, events: ['ticket'] };
    const policy = makeTrust().policy({
      outputs: [
        { id: 'psa', kind: 'webhook', host: 'psa.example', ...output },
        { id: 'siem', kind: 'syslog', host: '192.0.2.5', ...output, port: 6514 },
        { id: 'desk', kind: 'central', host: 'central.example', ...output, port: 1 },
      ],
      llm: {
        provider: 'hybrid',
        host: 'llm.example',
        port: 443,
        model: 'm',
        baa_id: 'b',
        local: { host: '10.0.0.9', port: 8080, model: 'm' },
        money_per_day_cents: 1,
      },
      timestamp_authority: { host: 'tsa.example', port: 318, path: '/' },
      target_networks: [{ prefix: '10.0.0.0/24', ports: [5986] }],
    });
    expect(described(CONFIG, null, policy)).toEqual([
      'agent psa.example 443 (output psa)',
      'agent 192.0.2.5 6514 (output siem)',
      'agent llm.example 443 (planner)',
      'agent 10.0.0.9 8080 (planner)',
      'agent tsa.example 318 (timestamp_authority)',
    ]);
    expect(wantedDoors(CONFIG, null, policy).networks).toEqual(policy.target_networks);
  });
});

describe('doors', () => {
  it('are opened for all addresses of a name, IPv4 and IPv6, until three turns from now', () => {
    const { doors } = plan([door('a.example')], { 'a.example': { addresses: ['192.0.2.1', '2001:db8::1'] } });
    expect(doors[0]?.addresses).toEqual([
      { address: '192.0.2.1', until: 1_360_000 },
      { address: '2001:db8::1', until: 1_360_000 },
    ]);
  });

  it('ask for names and not for addresses, each name once', () => {
    expect(namesOf([door('a.example'), door('192.0.2.1'), door('::2'), { ...door('a.example'), who: 'root' }])).toEqual(
      ['a.example'],
    );
  });

  it('keep an address that an answer of before named until its own time is over', () => {
    const first = plan([door('a.example')], { 'a.example': { addresses: ['192.0.2.1'] } });
    const again = (nowMs: number) =>
      plan([door('a.example')], { 'a.example': { addresses: ['192.0.2.2'] } }, first.doors, nowMs).doors[0]?.addresses;
    expect(again(1_359_999)).toEqual([
      { address: '192.0.2.2', until: 1_719_999 },
      { address: '192.0.2.1', until: 1_360_000 },
    ]);
    expect(again(1_360_000)?.map(({ address }) => address)).toEqual(['192.0.2.2']);
  });

  it('go on for the others where one name fails, with one plain warning', () => {
    const before = plan([door('a.example')], { 'a.example': { addresses: ['192.0.2.1'] } }).doors;
    const { doors, warnings } = plan(
      [door('a.example'), door('b.example'), door('c.example')],
      { 'a.example': { problem: 'does not resolve (EAI_AGAIN)' }, 'b.example': { addresses: ['192.0.2.2'] } },
      before,
      1_000_001,
    );
    expect(doors.map(({ addresses, problem }) => [addresses.map(({ address }) => address), problem])).toEqual([
      [['192.0.2.1'], 'does not resolve (EAI_AGAIN)'],
      [['192.0.2.2'], null],
      [[], 'was not asked for'],
    ]);
    expect(warnings.map((warning) => warning.split(' ')[0])).toEqual(['a.example', 'c.example']);
  });

  it('of one host for two users warn once', () => {
    const { doors, warnings } = plan([door('a.example'), { ...door('a.example'), who: 'root' }], {});
    expect([doors.length, warnings.length]).toEqual([2, 1]);
  });

  it('close at once for a host that is not named any more, and for another user than before', () => {
    const before = plan([door('a.example')], { 'a.example': { addresses: ['192.0.2.1'] } }).doors;
    const failing = { 'a.example': { problem: 'x' } };
    expect(plan([], failing, before).doors).toEqual([]);
    expect(plan([{ ...door('a.example'), who: 'root' }], failing, before).doors[0]?.addresses).toEqual([]);
  });

  it('are limited for a name with many addresses, in one answer and over many', () => {
    const many = (n: number, from: number): string[] => Array.from({ length: n }, (_, i) => `10.0.${from}.${i}`);
    let before: OpenDoor[] = [];
    for (const turn of [1, 2, 3, 4]) {
      const { doors, warnings } = plan([door('a')], { a: { addresses: many(100, turn) } }, before, 1_000 * turn);
      expect(doors[0]?.addresses.slice(0, MAX_ADDRESSES).map(({ address }) => address)).toEqual(
        many(MAX_ADDRESSES, turn),
      );
      expect(doors[0]?.addresses.length).toBeLessThanOrEqual(MAX_KEPT_ADDRESSES);
      expect(warnings).toHaveLength(1);
      before = doors;
    }
  });

  it('are not opened to nobody, everybody or IPv4 in disguise, and not needed to this machine', () => {
    const { doors, warnings } = plan([door('a'), door('127.0.0.1'), door('0.0.0.0')], {
      a: { addresses: ['0.0.0.0', '::ffff:10.0.0.1', '224.0.0.1', '192.0.2.1'] },
    });
    expect(doors.map(({ addresses }) => addresses.map(({ address }) => address))).toEqual([['192.0.2.1'], [], []]);
    expect(doors[1]?.problem).toBe(THIS_MACHINE);
    expect(warnings).toHaveLength(2);
  });
});

describe('the text for nft', () => {
  it('empties every set and fills it again, with what is left of the time, rounded up', () => {
    const { doors } = plan([door('192.0.2.1'), { ...door('2001:db8::1'), who: 'root' }], {});
    const { ranges } = networkRanges([{ prefix: '10.0.0.0/8', ports: [5986] }]);
    const text = openingText({ doors, ranges, nowMs: 1_000_500, ttlMs: TTL_MS, isClosed: true });
    expect(text.split('\n').filter((line) => line.startsWith('flush'))).toHaveLength(6);
    expect(text).toContain('agent_hosts4 { 192.0.2.1 . tcp . 443 timeout 360s }');
    expect(text).toContain('root_hosts6 { 2001:db8::1 . tcp . 443 timeout 360s }');
    expect(text).toContain('agent_networks4 { 10.0.0.0-10.255.255.255 . tcp . 5986 timeout 360s }');
    expect(text).toContain('delete table inet compliance-agent-egress-closed');
    expect(openingText({ doors: [], ranges: [], nowMs: 0, ttlMs: 1, isClosed: false })).not.toMatch(/add|delete/);
  });
});
