// Error codes of the doctor and of self-care.
import { code } from '../code-info.ts';

export const DOCTOR_CODES = {
  dns_servers_missing: code(
    3,
    true,
    'this machine knows no DNS server',
    'look whether DHCP gave it an address and a DNS server, or enter one',
  ),
  dns_filtered: code(
    3,
    true,
    'a DNS server hides a name, or gives an address at which nothing can be',
    'have the name of Central Command allowed in the DNS filter of the site',
  ),
  dns_rewritten: code(
    3,
    true,
    'a DNS server gives an address for names that do not exist',
    'sign in at the portal of the network, or let this machine ask another DNS server',
  ),
  ipv6_broken: code(
    3,
    true,
    'an IPv6 address is known and packets to it vanish',
    'repair IPv6 at the router of the site, or switch its announcement off there',
  ),
  proxy_in_the_way: code(
    3,
    true,
    'the network wants its machines to use a proxy, and the direct way is closed',
    'let this machine out to Central Command directly',
  ),
  captive_portal: code(
    3,
    true,
    'the network is closed until somebody signs in on a web page',
    'have the MAC address of this machine admitted, or use another network',
  ),
  clock_far_off: code(
    3,
    true,
    'the clock of this machine is far from the signed time',
    'let NTP through or set the clock',
  ),
  clock_unsynchronised: code(
    3,
    true,
    'no time server keeps the clock of this machine',
    'let NTP through to a time server',
  ),
  inodes_exhausted: code(
    5,
    true,
    'a file system has hardly any inodes left',
    'find the folder with very many small files, and empty it',
  ),
  enrolment_pending: code(
    3,
    true,
    'an operator has not confirmed this appliance yet',
    'compare the fingerprint, and confirm it at Central Command',
  ),
  self_memory_limit: code(
    3,
    true,
    'the agent used more memory than its limit for too long',
    'report it with the log lines before the restart; memory_limit_mib is the limit',
  ),
  self_cpu_limit: code(
    3,
    true,
    'the agent used a whole core for a quarter of an hour',
    'report it with the log lines before the restart',
  ),
  check_unknown_long: code(
    3,
    true,
    'a check has been unknown for a day or longer',
    'see compliance-agent status for the check and why it cannot be read',
  ),
};
