// Is there a way to Central Command's port, over IPv4 and over IPv6? Pure.
import { isIPv6 } from 'node:net';
import type { Attempt } from './try-connect.ts';
import { notLookedAt, ok, problem, type Problem, type Verdict } from './verdict.ts';

const MEANING =
  'the agent cannot reach Central Command: no check-in, no orders, no upload; checks go on and evidence waits';

const worked = (attempt: Attempt): boolean => attempt.outcome === 'connected';
const list = (attempts: readonly Attempt[]): string => attempts.map((one) => one.address).join(', ');

export function judgeTcp(host: string, port: number, attempts: readonly Attempt[]): Verdict {
  const good = attempts.find(worked);
  if (good !== undefined) return ok(`${good.address} port ${port} takes connections (${good.ms} ms)`);
  return problem(whyNoConnection(host, port, attempts));
}

function whyNoConnection(host: string, port: number, attempts: readonly Attempt[]): Problem {
  const outcomes = new Set(attempts.map((one) => one.outcome));
  const where = `${host} (${list(attempts)}) port ${port}`;
  if (outcomes.has('timeout')) {
    return {
      code: 'connect_failed',
      sentence: `${where} does not answer: the packets are dropped on the way`,
      meaning: MEANING,
      remedy: `let this machine out to TCP port ${port} in the firewall of the site, and check the gateway`,
    };
  }
  if (outcomes.has('ECONNREFUSED')) {
    return {
      code: 'connect_refused',
      sentence: `${where} refuses connections: a machine answers, and nothing listens there`,
      meaning: MEANING,
      remedy: 'check that Central Command runs and that address and port in central_url are right',
    };
  }
  if (outcomes.has('EACCES') || outcomes.has('EPERM')) {
    return {
      code: 'connect_failed',
      sentence: `this machine itself forbids connections to ${where}`,
      meaning: MEANING,
      remedy: 'see what is open: `compliance-agent egress show`; then `nft list ruleset`',
    };
  }
  return {
    code: 'connect_failed',
    sentence: `there is no way to ${where} (${[...outcomes].join(', ')})`,
    meaning: MEANING,
    remedy:
      'check cable, address and default gateway of this machine: `ip address`, `ip route`; where it is closed: `compliance-agent egress show`',
  };
}

/** What a machine without IPv6 says at once: nothing is broken then. */
const NO_IPV6 = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EHOSTUNREACH']);

export function judgeIpv6(port: number, attempts: readonly Attempt[]): Verdict {
  const six = attempts.filter((one) => isIPv6(one.address));
  const [first] = six;
  if (first === undefined) return notLookedAt('Central Command has no IPv6 address here');
  const good = six.find(worked);
  if (good !== undefined) return ok(`${good.address} port ${port} takes connections over IPv6 (${good.ms} ms)`);
  if (six.every((one) => NO_IPV6.has(one.outcome))) {
    return ok('this machine has no IPv6, and knows it at once: IPv4 is used');
  }
  const four = attempts.some((one) => !isIPv6(one.address) && worked(one));
  const what = six.some((one) => one.outcome === 'timeout')
    ? 'is a dead end: packets vanish'
    : `ends in ${first.outcome}`;
  return problem(
    {
      code: 'ipv6_broken',
      sentence: `IPv6 to ${list(six)} port ${port} ${what}${four ? ', while IPv4 works' : ''}`,
      meaning: four
        ? 'the agent gives IPv6 a quarter of a second and goes on over IPv4; other programs may wait half a minute each time'
        : 'neither way leads to Central Command',
      remedy: 'repair IPv6 at the router of the site, or switch its announcement off there',
    },
    { breaks: false },
  );
}
