// Which addresses and ports the site's operators let the agent reach.
import { BlockList, isIP } from 'node:net';
import type { SitePolicy } from '../wire/schemas/site-policy.ts';
import type { TargetInfo } from './target.ts';

type Network = SitePolicy['target_networks'][number];

/**
 * Whether a `target_networks` entry covers the target's address and names its port. Only plain addresses count: a name, an
 * IPv6 address that wraps an IPv4 one, or a prefix that is none is covered by nothing.
 */
export function isReachable(target: Pick<TargetInfo, 'address' | 'port'>, networks: readonly Network[]): boolean {
  const family = isIP(target.address);
  if (family === 0 || isWrapped(target.address)) return false;
  return networks.some(({ prefix, ports }) => ports.includes(target.port) && covers(prefix, target.address, family));
}

function covers(prefix: string, address: string, family: number): boolean {
  const [network = '', length = ''] = prefix.split('/');
  if (isIP(network) !== family || Number(length) > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(network, Number(length), type);
  return list.check(address, type);
}

/** IPv4-mapped and IPv4-compatible addresses (RFC 4291, section 2.5.5) lead to hosts that an IPv6 prefix does not name. */
const isWrapped = (address: string): boolean => {
  const mapped = new BlockList();
  mapped.addSubnet('::ffff:0:0', 96, 'ipv6');
  mapped.addSubnet('::', 96, 'ipv6');
  return isIP(address) === 6 && (address.includes('.') || mapped.check(address, 'ipv6'));
};
