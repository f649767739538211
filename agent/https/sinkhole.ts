// Addresses that a DNS filter answers in the place of the right ones. Pure.
import { BlockList, isIPv6 } from 'node:net';

/** Addresses at which no Central Command can be: what filters answer in its place. */
const NOWHERE = new BlockList();
NOWHERE.addSubnet('0.0.0.0', 8, 'ipv4');
NOWHERE.addSubnet('192.0.2.0', 24, 'ipv4');
NOWHERE.addSubnet('240.0.0.0', 4, 'ipv4');
NOWHERE.addSubnet('::', 128, 'ipv6');
NOWHERE.addSubnet('2001:db8::', 32, 'ipv6');
NOWHERE.addSubnet('100::', 64, 'ipv6');
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addSubnet('::1', 128, 'ipv6');
/** Pages "this site is blocked" of a widespread DNS filter (Cisco Umbrella). */
const BLOCK_PAGES = new BlockList();
BLOCK_PAGES.addRange('146.112.61.104', '146.112.61.110', 'ipv4');

const holds = (list: BlockList, address: string): boolean => list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');

/** Names for one's own machine and for tests (RFC 6761): loopback addresses are right for them. */
const MAY_BE_LOOPBACK = /(?:^|\.)(?:localhost|test)$/i;

/** What kind of wrong address this is, or null for one that may be right. */
export function sinkholeKind(address: string, hostname: string): string | null {
  if (holds(NOWHERE, address)) return 'an address that nobody can have';
  if (holds(BLOCK_PAGES, address)) return 'the block page of a DNS filter';
  if (holds(LOOPBACK, address) && !MAY_BE_LOOPBACK.test(hostname)) return 'this machine itself';
  return null;
}
