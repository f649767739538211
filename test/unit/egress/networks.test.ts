import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressOf, networkRanges, numberOf, type Range } from '../../../agent/egress/networks.ts';
import { kindOfAddress } from '../../../agent/egress/usable-address.ts';

const shown = ({ family, protocol, port, from, to }: Range): string =>
  `${addressOf(family, from)}-${addressOf(family, to)} ${protocol}/${port}`;
const rangesOf = (...networks: [prefix: string, ...ports: number[]][]): string[] =>
  networkRanges(networks.map(([prefix, ...ports]) => ({ prefix, ports }))).ranges.map(shown);

describe('networks of the site policy', () => {
  it('are opened from their first to their last address, at the ports that the policy names', () => {
    expect(rangesOf(['10.1.2.3/24', 5985, 5986])).toEqual([
      '10.1.2.0-10.1.2.255 tcp/5985',
      '10.1.2.0-10.1.2.255 tcp/5986',
    ]);
    expect(rangesOf(['2001:db8::17/127', 5986])).toEqual(['2001:db8:0:0:0:0:0:16-2001:db8:0:0:0:0:0:17 tcp/5986']);
    expect(rangesOf(['192.0.2.9/32', 5986])).toEqual(['192.0.2.9-192.0.2.9 tcp/5986']);
  });

  it('are opened for Kerberos over UDP too, and only where the policy names its port', () => {
    expect(rangesOf(['192.0.2.9/32', 88])).toEqual(['192.0.2.9-192.0.2.9 tcp/88', '192.0.2.9-192.0.2.9 udp/88']);
    expect(rangesOf(['192.0.2.9/32', 5986]).filter((one) => one.includes('88'))).toEqual([]);
  });

  it('become one where they overlap or touch, for each port', () => {
    expect(rangesOf(['10.0.0.0/9', 5986], ['10.64.0.0/16', 5986], ['10.128.0.0/9', 5986], ['10.0.0.0/16', 88])).toEqual(
      ['10.0.0.0-10.255.255.255 tcp/5986', '10.0.0.0-10.0.255.255 tcp/88', '10.0.0.0-10.0.255.255 udp/88'],
    );
  });

  it.each(['0.0.0.0/0', '0.0.0.0/1', '128.0.0.0/7', '::/0', '2000::/3', 'fd00::/31'])(
    'stay closed where they are wider than a site: %s, with a warning, while others are opened',
    (prefix) => {
      const { ranges, opened, warnings } = networkRanges([
        { prefix, ports: [5986] },
        { prefix: '192.0.2.0/24', ports: [5986] },
      ]);
      expect(ranges.map(shown)).toEqual(['192.0.2.0-192.0.2.255 tcp/5986']);
      expect(opened).toEqual([{ prefix: '192.0.2.0/24', ports: [{ protocol: 'tcp', port: 5986 }] }]);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toContain(prefix);
    },
  );

  it.each(['10.0.0.0/33', '10.0.0/8', '300.0.0.0/8', '2001:db8::/129', 'abc/12', '::1::/64'])(
    'that are none stay closed with a warning: %s',
    (prefix) => {
      expect(networkRanges([{ prefix, ports: [5986] }])).toMatchObject({ ranges: [], warnings: [expect.any(String)] });
    },
  );

  it('cover exactly the addresses of the prefixes, and never overlap each other', () => {
    const prefix = fc.tuple(fc.nat({ max: 0xffff }), fc.integer({ min: 8, max: 32 })).map(([low, length]) => ({
      prefix: `10.0.${low >> 8}.${low & 255}/${length}`,
      ports: [5986],
    }));
    fc.assert(
      fc.property(fc.array(prefix, { maxLength: 12 }), fc.nat({ max: 0xffff }), (networks, low) => {
        const { ranges } = networkRanges(networks);
        const address = `10.0.${low >> 8}.${low & 255}`;
        const list = new BlockList();
        for (const { prefix: text } of networks) {
          const [network = '', length] = text.split('/');
          list.addSubnet(network, Number(length), 'ipv4');
        }
        const value = numberOf(address);
        expect(ranges.filter(({ from, to }) => from <= value && value <= to)).toHaveLength(
          list.check(address, 'ipv4') ? 1 : 0,
        );
        for (const [i, { from }] of ranges.entries()) if (i > 0) expect(from > (ranges[i - 1]?.to ?? 0n)).toBe(true);
      }),
    );
  });

  it('reads and writes every address as the same number', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        expect(numberOf(addressOf(6, numberOf(address)))).toBe(numberOf(address));
      }),
    );
    expect(numberOf('::ffff:192.0.2.1')).toBe(0xff_ff_c0_00_02_01n);
    expect(numberOf('1::')).toBe(1n << 112n);
  });
});

describe('an address that a name leads to', () => {
  it.each([
    ['192.0.2.1', 'elsewhere'],
    ['10.0.0.1', 'elsewhere'],
    ['2001:db8::1', 'elsewhere'],
    ['fe80::1', 'elsewhere'],
    ['127.0.0.53', 'here'],
    ['::1', 'here'],
    ['0.0.0.0', 'never'],
    ['224.0.0.251', 'never'],
    ['255.255.255.255', 'never'],
    ['::', 'never'],
    ['ff02::fb', 'never'],
    ['::ffff:192.0.2.1', 'never'],
    ['fe80::1%eth0', 'never'],
    ['nonsense', 'never'],
  ])('%s is %s', (address, kind) => {
    expect(kindOfAddress(address)).toBe(kind);
  });
});
