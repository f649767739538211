// Networks of the site policy as ranges of addresses that do not overlap, which is what the kernel's sets take. Pure.
import { isIP } from 'node:net';
import type { SitePolicy } from '../wire/schemas/site-policy.ts';
import type { Port } from './wanted-doors.ts';

export type Family = 4 | 6;

/** From one address to another, both included, as numbers. */
export interface Range extends Port {
  readonly family: Family;
  readonly from: bigint;
  readonly to: bigint;
}

/**
 * The widest prefix that counts: 10.0.0.0/8 is the largest private network (RFC 1918), and no site is given more than a /32 of
 * IPv6. What is wider is no network of a site, and would open the door to everywhere.
 */
const WIDEST: Readonly<Record<Family, number>> = { 4: 8, 6: 32 };
/** Clients ask a KDC over UDP first (RFC 4120, section 7.2.1). */
const KERBEROS_PORT = 88;
const BITS: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };
const GROUP_BITS = 16n;
const IPV4_IN_IPV6 = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/;

export interface Networks {
  readonly ranges: readonly Range[];
  /** Those that are opened, as the policy names them. */
  readonly opened: readonly { readonly prefix: string; readonly ports: readonly Port[] }[];
  /** One plain sentence for each network that is left out. */
  readonly warnings: readonly string[];
}

export function networkRanges(networks: SitePolicy['target_networks']): Networks {
  const warnings: string[] = [];
  const ranges: Range[] = [];
  const opened: { readonly prefix: string; readonly ports: readonly Port[] }[] = [];
  for (const { prefix, ports } of networks) {
    const covered = readPrefix(prefix);
    if (typeof covered === 'string') {
      warnings.push(`the site policy names the network ${prefix}, which ${covered}: it stays closed`);
      continue;
    }
    const ways = ports.flatMap((port): Port[] => {
      const tcp: Port = { protocol: 'tcp', port };
      return port === KERBEROS_PORT ? [tcp, { protocol: 'udp', port }] : [tcp];
    });
    opened.push({ prefix, ports: ways });
    for (const way of ways) ranges.push({ ...covered, ...way });
  }
  return { ranges: withoutOverlap(ranges), opened, warnings };
}

function readPrefix(text: string): Pick<Range, 'family' | 'from' | 'to'> | string {
  const [address = '', digits = ''] = text.split('/');
  const family = isIP(address);
  const length = Number(digits);
  if ((family !== 4 && family !== 6) || length > BITS[family]) return 'is no network';
  if (length < WIDEST[family]) return `is wider than /${WIDEST[family]}`;
  const size = 1n << BigInt(BITS[family] - length);
  const from = (numberOf(address) / size) * size;
  return { family, from, to: from + size - 1n };
}

/** `address` must be one. */
export function numberOf(address: string): bigint {
  if (isIP(address) === 4) return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const mapped = IPV4_IN_IPV6.exec(address);
  const hex = (a = '', b = ''): string => (Number(a) * 256 + Number(b)).toString(16);
  const plain = mapped === null ? address : `${mapped[1]}${hex(mapped[2], mapped[3])}:${hex(mapped[4], mapped[5])}`;
  const [head = '', tail] = plain.split('::');
  const groups = (part: string): string[] => part.split(':').filter((one) => one !== '');
  const [before, after] = [groups(head), groups(tail ?? '')];
  const zeros = Array<string>(8 - before.length - after.length).fill('0');
  return [...before, ...zeros, ...after].reduce((sum, group) => (sum << GROUP_BITS) + BigInt(`0x${group}`), 0n);
}

/** As nft reads it; IPv6 without the short form. */
export function addressOf(family: Family, value: bigint): string {
  const parts = family === 4 ? 4 : 8;
  const width = family === 4 ? 8n : GROUP_BITS;
  const list = Array.from(
    { length: parts },
    (_, i) => (value >> (width * BigInt(parts - 1 - i))) & ((1n << width) - 1n),
  );
  return family === 4 ? list.join('.') : list.map((group) => group.toString(16)).join(':');
}

/** Those that touch or overlap become one: the kernel refuses to add an interval that lies in another. */
function withoutOverlap(ranges: readonly Range[]): Range[] {
  const sorted = ranges.toSorted((a, b) => {
    const [x, y] = [a, b].map(({ family, protocol, port }) => `${family} ${protocol} ${port}`) as [string, string];
    if (x !== y) return x < y ? -1 : 1;
    return a.from < b.from ? -1 : 1;
  });
  const merged: Range[] = [];
  for (const range of sorted) {
    const last = merged.at(-1);
    const isSame = last?.family === range.family && last.protocol === range.protocol && last.port === range.port;
    if (last === undefined || !isSame || range.from > last.to + 1n) merged.push(range);
    else if (range.to > last.to) merged[merged.length - 1] = { ...last, to: range.to };
  }
  return merged;
}
