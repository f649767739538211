// Addresses that a name may open a door to. Pure.
import { BlockList, isIP } from 'node:net';

// One list for each family: Node holds an IPv4 address against the IPv6 prefix that wraps all of them.
const LOOPBACK4 = new BlockList();
LOOPBACK4.addSubnet('127.0.0.0', 8, 'ipv4');
const LOOPBACK6 = new BlockList();
LOOPBACK6.addAddress('::1', 'ipv6');
/** Nobody and everybody. */
const NEVER4 = new BlockList();
NEVER4.addSubnet('0.0.0.0', 8, 'ipv4');
NEVER4.addSubnet('224.0.0.0', 3, 'ipv4');
/** And IPv4 in the dress of IPv6. */
const NEVER6 = new BlockList();
NEVER6.addSubnet('::', 96, 'ipv6');
NEVER6.addSubnet('::ffff:0:0', 96, 'ipv6');
NEVER6.addSubnet('ff00::', 8, 'ipv6');

/** `here`: this machine, for which no door is needed. `never`: no address of another machine. */
export function kindOfAddress(address: string): 'elsewhere' | 'here' | 'never' {
  const family = isIP(address);
  // A zone (`fe80::1%eth0`) is an interface's, and no set holds one.
  if (family === 0 || address.includes('%')) return 'never';
  const [type, loopback, never] =
    family === 4 ? (['ipv4', LOOPBACK4, NEVER4] as const) : (['ipv6', LOOPBACK6, NEVER6] as const);
  if (loopback.check(address, type)) return 'here';
  return never.check(address, type) ? 'never' : 'elsewhere';
}
