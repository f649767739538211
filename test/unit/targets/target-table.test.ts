import { describe, expect, it } from 'vitest';
import { createTargetTable } from '../../../agent/targets/target-table.ts';
import { MAX_LEASE_MS, MAX_TARGET_AGE_MS } from '../../../agent/targets/target.ts';
import { isReachable } from '../../../agent/targets/target-networks.ts';
import { takeTargets } from '../../../agent/targets/take-targets.ts';
import { decodeTargetsFrame, encodeTargetsFrame } from '../../../agent/wire/targets-frame.ts';
import { expectCode } from '../../support/expect-code.ts';
import { heldTarget, wireTarget } from '../../support/targets.ts';

const LAN = [{ prefix: '192.0.2.0/24', ports: [5985, 5986] }];
const MINUTE = 60_000;

function table(o: { networks?: typeof LAN } = {}) {
  const now = { ms: 1_000 };
  const policy = { networks: o.networks ?? LAN };
  const made = createTargetTable({ clock: { bootMs: () => now.ms }, networks: () => policy.networks });
  return { now, policy, table: made };
}
const isZero = (secret: Buffer): boolean => secret.every((byte) => byte === 0);

describe('the table of targets', () => {
  it('lists targets without their secrets, and lends a copy for a run', () => {
    const { table: t } = table();
    t.replace([heldTarget('pc-1', 'secret-one')], 10 * MINUTE);
    expect(t.list().map(({ id }) => id)).toEqual(['pc-1']);
    expect(JSON.stringify([t.list(), t.get('pc-1'), t.states()])).not.toContain('secret');
    const lease = t.lease('pc-1');
    expect(lease?.target.secret.toString()).toBe('secret-one');
    lease?.release();
    lease?.release();
    expect(isZero(lease!.target.secret)).toBe(true);
    expect(t.lease('pc-1')?.target.secret.toString()).toBe('secret-one');
    expect([t.get('pc-2'), t.lease('pc-2')]).toEqual([null, null]);
  });

  it('zeros the secrets that a new list replaces, while a running run keeps its copy', () => {
    const { table: t } = table();
    const old = heldTarget('pc-1', 'secret-one');
    t.replace([old], 10 * MINUTE);
    const lease = t.lease('pc-1');
    t.replace([heldTarget('pc-1', 'secret-two')], 10 * MINUTE);
    expect(isZero(old.secret)).toBe(true);
    expect(lease?.target.secret.toString()).toBe('secret-one');
    expect(t.lease('pc-1')?.target.secret.toString()).toBe('secret-two');
  });

  it('wipes at once on an empty list', () => {
    const { table: t } = table();
    const old = heldTarget('pc-1', 'secret-one');
    t.replace([old], 10 * MINUTE);
    t.replace([], 10 * MINUTE);
    expect([t.list(), t.states(), t.liveSecrets()]).toEqual([[], [], []]);
    expect(isZero(old.secret)).toBe(true);
  });

  it('holds no secret for more than 15 minutes on the boot clock, whatever expiry it was given', () => {
    const { table: t, now } = table();
    const old = heldTarget('pc-1', 'secret-one');
    t.replace([old], Number.MAX_SAFE_INTEGER);
    now.ms += MAX_TARGET_AGE_MS - 1;
    expect(t.list()).toHaveLength(1);
    now.ms += 1;
    expect(t.lease('pc-1')).toBe(null);
    expect(isZero(old.secret)).toBe(true);
  });

  it('ends a lease that nobody released after 60 minutes', () => {
    const { table: t, now } = table();
    t.replace([heldTarget('pc-1', 'secret-one')], 10 * MINUTE);
    const lease = t.lease('pc-1');
    now.ms += MAX_LEASE_MS - 1;
    expect(t.liveSecrets()).toHaveLength(1);
    now.ms += 1;
    expect(t.liveSecrets()).toEqual([]);
    expect(isZero(lease!.target.secret)).toBe(true);
  });

  it('neither lends nor keeps the secret of a target outside the networks of the site policy, and says so', () => {
    const { table: t, policy } = table();
    const outside = heldTarget('far', 'secret-far', { address: '198.51.100.7' });
    const inside = heldTarget('pc-1', 'secret-one');
    t.replace([outside, inside], 10 * MINUTE);
    expect(isZero(outside.secret)).toBe(true);
    expect(t.states().map(({ info, state }) => [info.id, state])).toEqual([
      ['far', 'outside_networks'],
      ['pc-1', 'ready'],
    ]);
    expect([t.get('far'), t.lease('far')]).toEqual([null, null]);
    policy.networks = [];
    expect([t.list(), t.lease('pc-1')]).toEqual([[], null]);
    policy.networks = [{ prefix: '0.0.0.0/0', ports: [5986] }];
    // What was zeroed does not come back with a wider policy: the next list brings it.
    expect(t.list().map(({ id }) => id)).toEqual(['pc-1']);
  });
});

describe('the targets that the last list named over TLS', () => {
  it('are those that may be reached, until another list comes; a wipe and the end of their secrets leave them', () => {
    const { table: t, now } = table();
    expect(t.namedOverTls()).toBe(null);
    const outside = heldTarget('far', 's', { address: '198.51.100.7' });
    const plain = heldTarget('pc-2', 's', { scheme: 'http', port: 5985 });
    t.replace([outside, plain, heldTarget('pc-1', 's')], 10 * MINUTE);
    expect(t.namedOverTls()).toEqual(['pc-1']);
    t.wipe();
    expect(t.namedOverTls()).toEqual(['pc-1']);
    now.ms += MAX_TARGET_AGE_MS;
    expect([t.list(), t.namedOverTls()]).toEqual([[], ['pc-1']]);
    t.replace([], 10 * MINUTE);
    expect(t.namedOverTls()).toEqual([]);
  });
});

describe('target_networks', () => {
  const reach = (address: string, port: number, prefix: string, ports = [5986]) =>
    isReachable({ address, port }, [{ prefix, ports }]);

  it('covers an address of its prefix at a port that it names, and nothing else', () => {
    expect(reach('192.0.2.255', 5986, '192.0.2.0/24')).toBe(true);
    expect(reach('192.0.3.0', 5986, '192.0.2.0/24')).toBe(false);
    expect(reach('192.0.2.1', 5985, '192.0.2.0/24')).toBe(false);
    expect(reach('192.0.2.9', 5986, '192.0.2.9/32')).toBe(true);
    expect(reach('2001:db8::5', 5986, '2001:db8::/64')).toBe(true);
    expect(reach('2001:db8:0:1::5', 5986, '2001:db8::/64')).toBe(false);
    expect(isReachable({ address: '192.0.2.1', port: 5986 }, [])).toBe(false);
  });

  it.each([
    ['a name', 'pc-1.clinic.example', '0.0.0.0/0'],
    ['an IPv4 address in IPv6 dress', '::ffff:192.0.2.1', '::/0'],
    ['the same in hex', '::ffff:c000:201', '::/0'],
    ['the loopback of IPv6, written as an IPv4-compatible address', '::1', '::/0'],
    ['an address with leading zeros', '192.0.02.1', '0.0.0.0/0'],
    ['a prefix of the other family', '192.0.2.1', '::/0'],
    ['a prefix that is longer than an address', '192.0.2.1', '192.0.2.1/99'],
    ['a prefix that is none', '192.0.2.1', '192.0.2/24'],
  ])('does not cover %s', (_what, address, prefix) => {
    expect(reach(address, 5986, prefix)).toBe(false);
  });
});

describe('targets of an answer', () => {
  const time = { serverTime: 1_800_000_000, bootMs: 1_000 };
  const frame = (expiresAt: number) =>
    decodeTargetsFrame(encodeTargetsFrame(expiresAt, [{ target: wireTarget('pc-1'), secret: Buffer.from('secret') }]));

  it('last from the time of their answer on, on the boot clock', () => {
    const { table: t, now } = table();
    takeTargets(t, frame(time.serverTime + 600), time);
    expect(t.get('pc-1')).toMatchObject({
      credentialId: 'clinic-svc',
      credentialVersion: 1,
      principal: 'svc-compliance',
    });
    now.ms = time.bootMs + 600_000 - 1;
    expect(t.list()).toHaveLength(1);
    now.ms += 1;
    expect(t.list()).toEqual([]);
  });

  it('are refused when they are over or would last too long; then nothing changes and their secrets are zeroed', () => {
    const { table: t } = table();
    takeTargets(t, frame(time.serverTime + 900), time);
    for (const expiresAt of [time.serverTime, time.serverTime - 1, time.serverTime + 901]) {
      const stale = frame(expiresAt);
      expectCode(() => takeTargets(t, stale, time), 'targets_expired');
      expect(isZero(stale.targets[0]!.secret)).toBe(true);
    }
    expect(t.lease('pc-1')?.target.secret.toString()).toBe('secret');
  });
});
