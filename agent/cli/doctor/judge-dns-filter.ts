// Does somebody between us and DNS answer what he wants? Sinkhole addresses, refusals with a reason, and addresses for names
// that nobody has. Pure.
import { sinkholeKind } from '../../https/sinkhole.ts';
import { addressesOf, hasAnswered, isAnswer, resolvedAddresses } from './judge-dns.ts';
import { showServer } from './name-servers.ts';
import type { NameReading, ServerReading } from './read-names.ts';
import { notLookedAt, ok, problemsOr, quoted, type Problem, type Verdict } from './verdict.ts';

/** Extended DNS errors that say "on purpose" (RFC 8914, sections 4.5 and 4.16 to 4.19). */
const ON_PURPOSE: Readonly<Record<number, string>> = {
  4: 'forged answer',
  15: 'blocked',
  16: 'censored',
  17: 'filtered',
  18: 'prohibited',
};

export function judgeDnsFilter(reading: NameReading): Verdict {
  const { servers, hostname } = reading;
  const spoke = servers.filter(hasAnswered);
  const sunk = sinkholes(reading);
  if (sunk.length > 0) return problemsOr(sunk, ok(''));
  const resolved = resolvedAddresses(reading).length > 0;
  if (spoke.length === 0) return notLookedAt('no DNS server answered', resolved ? [] : ['dns']);
  const denials = spoke.flatMap((one) => denial(one, hostname, resolved) ?? []);
  const rewriters = spoke.flatMap((one) => rewriting(one, hostname) ?? []);
  return problemsOr(
    [...denials, ...rewriters],
    ok(`${spoke.map((one) => showServer(one.server)).join(', ')} says that names which nobody has do not exist`),
    // An address that the server gives to any name is not Central Command's: nothing behind it says anything.
    { breaks: !resolved || spoke.some((one) => isPaintedOver(one)) },
  );
}

function sinkholes(reading: NameReading): Problem[] {
  const { hostname } = reading;
  const wrong = resolvedAddresses(reading).flatMap((address) => {
    const kind = sinkholeKind(address, hostname);
    return kind === null ? [] : [{ address, kind }];
  });
  const [first] = wrong;
  // One wrong address beside a right one is met by trying both.
  if (first === undefined || wrong.length < resolvedAddresses(reading).length) return [];
  return [
    {
      code: 'dns_filtered',
      sentence: `${hostname} resolves to ${first.address}, ${first.kind}: a DNS filter answers in place of the real server`,
      meaning: 'the agent cannot reach Central Command although the network works',
      remedy: `have ${hostname} allowed in the DNS filter of the site, or let this machine ask another DNS server`,
    },
  ];
}

function denial(one: ServerReading, hostname: string, resolved: boolean): Problem | null {
  const named = [one.v4, one.v6]
    .filter(isAnswer)
    .find((answer) => ON_PURPOSE[answer.extendedError ?? -1] !== undefined);
  const who = showServer(one.server);
  if (named !== undefined) {
    const text = named.extendedText === '' ? '' : `, "${quoted(named.extendedText, 80)}"`;
    return {
      code: 'dns_filtered',
      sentence: `the DNS server ${who} hides ${hostname} on purpose (${ON_PURPOSE[named.extendedError ?? -1] ?? ''}${text})`,
      meaning: 'a DNS filter stands between the agent and Central Command',
      remedy: `have ${hostname} allowed in that filter`,
    };
  }
  if (resolved && addressesOf(one).length === 0) {
    return {
      code: 'dns_filtered',
      sentence: `the DNS server ${who} gives no address for ${hostname} although it resolves elsewhere`,
      meaning: 'whenever that server is asked first, Central Command cannot be found',
      remedy: `have ${hostname} allowed there, or take that server out of the settings`,
    };
  }
  return null;
}

const madeUpAddresses = (one: ServerReading): string[] =>
  one.madeUp.filter(isAnswer).flatMap((answer) => answer.addresses);

/** Central Command's name gets the very address that made-up names get. */
function isPaintedOver(one: ServerReading): boolean {
  const invented = madeUpAddresses(one);
  return addressesOf(one).some((address) => invented.includes(address));
}

function rewriting(one: ServerReading, hostname: string): Problem | null {
  const [address] = madeUpAddresses(one);
  if (address === undefined) return null;
  const who = showServer(one.server);
  if (isPaintedOver(one)) {
    return {
      code: 'dns_rewritten',
      sentence: `the DNS server ${who} gives ${address} for names that do not exist, and for ${hostname} too`,
      meaning: `${address} is not Central Command: a captive portal or a provider's search page answers every name`,
      remedy: 'sign in at the portal of the network if it has one; else let this machine ask another DNS server',
    };
  }
  return {
    code: 'dns_rewritten',
    sentence: `the DNS server ${who} gives ${address} for names that do not exist`,
    meaning: 'a mistyped or expired name would lead to a stranger instead of an error; Central Command itself resolves',
    remedy: 'switch that "search help" off at the provider, or let this machine ask another DNS server',
  };
}
