// Does Central Command's name lead anywhere, and does every DNS server answer? Pure.
import { problemsOr, notLookedAt, ok, problem, type Problem, type Verdict } from './verdict.ts';
import type { ServerReply } from './ask-dns.ts';
import type { DnsAnswer } from './dns-message.ts';
import { showServer } from './name-servers.ts';
import type { NameReading, ServerReading } from './read-names.ts';

const MEANING =
  'the agent cannot find Central Command: no check-in, no orders, no upload; checks go on and evidence waits';

export const isAnswer = (reply: ServerReply): reply is DnsAnswer => typeof reply === 'object';
const answers = (one: ServerReading): DnsAnswer[] => [one.v4, one.v6].filter(isAnswer);
export const hasAnswered = (one: ServerReading): boolean => answers(one).length > 0;
/** Addresses that one server gives for Central Command's name. */
export const addressesOf = (one: ServerReading): string[] => answers(one).flatMap((answer) => answer.addresses);

/** Where the daemon would connect to, in its order; empty where the name does not resolve. */
export function resolvedAddresses(reading: NameReading): readonly string[] {
  if (reading.system !== null) return reading.system.ok ? reading.system.addresses : [];
  return [...new Set(reading.servers.flatMap(addressesOf))];
}

export function judgeDns(reading: NameReading): Verdict {
  const { hostname, servers } = reading;
  const addresses = resolvedAddresses(reading);
  if (addresses.length === 0) return problem(whyUnresolved(reading));
  const dead = servers.filter((one) => !hasAnswered(one));
  const shown = `${hostname} is ${addresses.slice(0, 4).join(', ')}`;
  if (servers.length > 0 && dead.length === servers.length) {
    return ok(`${shown}; none of the DNS servers answered, so it comes from elsewhere (the hosts file, a cache)`);
  }
  return problemsOr(dead.map(deadServer), ok(shown), { breaks: false, notes: [shown] });
}

const deadServer = ({ server, v4 }: ServerReading): Problem => ({
  code: 'dns_failed',
  sentence: `the DNS server ${showServer(server)} ${v4 === 'unreachable' ? 'cannot be reached' : 'does not answer'}; another one does`,
  meaning: 'each look-up that meets it first costs seconds, and with the other one gone nothing resolves',
  remedy: 'repair that server, or take it out of the network settings of this machine',
});

function whyUnresolved({ hostname, system, servers }: NameReading): Problem {
  const failed = (sentence: string, remedy: string): Problem => ({
    code: 'dns_failed',
    sentence,
    meaning: MEANING,
    remedy,
  });
  if (servers.length === 0) {
    return {
      code: 'dns_servers_missing',
      sentence: `this machine knows no DNS server, and ${hostname} did not resolve`,
      meaning: MEANING,
      remedy: 'look whether DHCP gave this machine an address and a DNS server, or enter one',
    };
  }
  const names = servers.map((one) => showServer(one.server)).join(', ');
  const spoke = servers.filter(hasAnswered);
  if (spoke.length === 0) {
    return failed(
      `no DNS server answers (${names})`,
      'check cable and gateway, and let UDP port 53 to these servers through; or name others',
    );
  }
  const codes = [...new Set(spoke.flatMap(answers).map((answer) => answer.rcode))];
  const said = `${spoke.map((one) => showServer(one.server)).join(', ')}`;
  if (codes.includes('NXDOMAIN')) {
    return failed(
      `${said} says that the name ${hostname} does not exist`,
      'check the spelling of central_url; if it is right, a DNS filter or an internal zone hides it: have it allowed',
    );
  }
  if (codes.every((code) => code === 'NOERROR')) {
    if (spoke.some((one) => addressesOf(one).length > 0)) {
      const why = system !== null && !system.ok ? system.why : 'unknown';
      return failed(
        `${said} knows ${hostname}, but the resolver of this machine does not (${why})`,
        'look at /etc/nsswitch.conf, /etc/hosts and the local DNS service (resolvectl status)',
      );
    }
    return failed(`${said} knows the name ${hostname} but no address for it`, 'check the DNS records of that name');
  }
  return failed(
    `${said} refuses the name ${hostname} (${codes.join(', ')})`,
    'ask whoever runs that DNS server; a filter may answer so',
  );
}

/** Not needed where the address of Central Command is a number. */
export const judgeNumericAddress = (): Verdict =>
  notLookedAt('the address of Central Command is a number, for which no name is looked up');
