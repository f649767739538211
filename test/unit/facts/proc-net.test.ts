import { describe, expect, it } from 'vitest';
import { distinctListeners } from '../../../agent/facts/listeners.ts';
import { describeListeners, parseListening, SOCKET_TABLES } from '../../../agent/facts/proc-net.ts';
import { fixture } from '../../support/fixture-facts.ts';

const all = SOCKET_TABLES.flatMap((table) => parseListening(table, fixture(`proc/net/${table}`)) ?? []);

describe('listening sockets of the kernel', () => {
  it('every recorded listener is found with its scope, and no connection is', () => {
    expect(describeListeners(all)).toEqual([
      'tcp-address-6000',
      'tcp-any-7000',
      'tcp-any-8080',
      'tcp-loopback-5000',
      'tcp-loopback-9090',
      'udp-any-40000',
      'udp-any-5353',
      'udp-any-546',
    ]);
  });

  it('UDP ports of the ephemeral range are left out, TCP ones are not', () => {
    const found = describeListeners(distinctListeners(all, [5_000, 60_999]));
    expect(found).toContain('tcp-loopback-5000');
    expect(found).not.toContain('udp-any-40000');
    expect(found).not.toContain('udp-any-5353');
    expect(found).toContain('udp-any-546');
  });

  it('IPv4 addresses in their IPv6 form keep their scope', () => {
    const line = (address: string): string =>
      `  sl  local_address remote_address st\n 0: ${address}:0016 ${'0'.repeat(32)}:0000 0A 0:0 0:0 0 0 0 77 1 0 0 0 0 0 0\n`;
    const scope = (address: string) => parseListening('tcp6', line(address))?.[0]?.scope;
    expect(scope('0000000000000000FFFF00000100007F')).toBe('loopback');
    expect(scope('0000000000000000FFFF000000000000')).toBe('any');
    expect(scope('0000000000000000FFFF00000101A8C0')).toBe('address');
    expect(scope('000080FE00000000FF005450B6AD1DFE')).toBe('address');
  });

  it('a text that is no such table is refused and not read as empty', () => {
    const odd = ['0100007F:XYZW', '0100007F:', 'nonsense', '0100:0016', `${'0'.repeat(40)}:0016`].map(
      (local) => `  sl  local_address\n 0: ${local} 00000000:0000 0A 0:0 0:0 0 0 0 77 1\n`,
    );
    for (const text of ['', 'garbage', '<html>', '  sl  local_address\n 0: nonsense\n', ...odd]) {
      expect(parseListening('tcp', text)).toBeNull();
    }
  });
});
