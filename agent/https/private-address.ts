// Addresses of a site's own networks (RFC 1918, RFC 4193, loopback). Judged when a connection is made, so that no name leads out.
import { lookup as resolve, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { AgentError } from '../errors/agent-error.ts';

/** Link-local addresses are left out: services of cloud machines answer there. */
const OWN = new BlockList();
OWN.addSubnet('127.0.0.0', 8, 'ipv4');
OWN.addSubnet('10.0.0.0', 8, 'ipv4');
OWN.addSubnet('172.16.0.0', 12, 'ipv4');
OWN.addSubnet('192.168.0.0', 16, 'ipv4');
OWN.addAddress('::1', 'ipv6');
OWN.addSubnet('fc00::', 7, 'ipv6');

const bare = (host: string): string => host.replace(/^\[|\]$/g, '');

export const isPrivateAddress = (address: string): boolean =>
  isIP(address) !== 0 && OWN.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

/** False for an address elsewhere; a name is judged when it is resolved ({@link privateLookup}). */
export const isPrivateHost = (host: string): boolean => isIP(bare(host)) === 0 || isPrivateAddress(bare(host));

/** This machine by its address. A name is not asked what it means: `localhost.evil.example` begins like one, too. */
export const isLoopbackLiteral = (host: string): boolean => bare(host) === '127.0.0.1' || bare(host) === '::1';

/** The system's resolution; one address elsewhere among the answers refuses all of them. */
export const privateLookup: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, '', 0);
    const found: readonly LookupAddress[] = addresses;
    const [first] = found;
    if (first === undefined || !found.every(({ address }) => isPrivateAddress(address))) {
      const refused = new AgentError('address_not_private', `${hostname} is no name of this site's own networks`, {
        place: hostname,
      });
      return callback(refused, '', 0);
    }
    if (options.all === true) return callback(null, [...found]);
    return callback(null, first.address, first.family);
  });
};
