// The configuration that MIT Kerberos reads (krb5.conf(5)), for one realm and nothing of the machine's own. Pure.
import { AgentError } from '../errors/agent-error.ts';

export interface KerberosRealm {
  /** Upper case by custom: `CLINIC.EXAMPLE`. */
  readonly realm: string;
  /** Host names or addresses of the key distribution centres, with `:port` where it is not 88. Empty: found by DNS (SRV records). */
  readonly kdcs: readonly string[];
}

const REALM = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?$/;
/** A name, an IPv4 address or an IPv6 address in brackets, with or without a port. */
const KDC = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?|\[[0-9A-Fa-f:]{2,45}\])(?::[1-9]\d{0,4})?$/;
const HOST = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?$/;
/** Both generations of AES; RC4 and DES are what an attacker would like to negotiate. */
const ENCTYPES =
  'aes256-cts-hmac-sha1-96 aes128-cts-hmac-sha1-96 aes256-cts-hmac-sha384-192 aes128-cts-hmac-sha256-128';
/** Seconds for one try at a KDC. */
const REQUEST_TIMEOUT_S = 5;

/**
 * The text of the file. Names are resolved as given (a resolver must not choose the service that is trusted), TCP is used from the
 * first byte, tickets cannot be forwarded.
 *
 * @throws winrm_kerberos_settings for a realm, host or KDC that would be read as something else
 */
export function krb5Conf({ realm, kdcs }: KerberosRealm, hostname: string): string {
  if (!REALM.test(realm)) throw bad('the realm of a target is not a realm name', realm);
  if (!HOST.test(hostname)) throw bad('Kerberos needs the host name of the target, not an address', hostname);
  for (const kdc of kdcs) if (!KDC.test(kdc)) throw bad('a KDC is neither a host name nor an address', kdc);
  return [
    '[libdefaults]',
    ` default_realm = ${realm}`,
    ` dns_lookup_kdc = ${kdcs.length === 0}`,
    ' dns_lookup_realm = false',
    ' dns_canonicalize_hostname = false',
    ' rdns = false',
    ' forwardable = false',
    ' proxiable = false',
    ' allow_weak_crypto = false',
    ` permitted_enctypes = ${ENCTYPES}`,
    ' udp_preference_limit = 1',
    ` request_timeout = ${REQUEST_TIMEOUT_S}s`,
    ' max_retries = 1',
    '[realms]',
    ` ${realm} = {`,
    ...kdcs.map((kdc) => `  kdc = ${kdc}`),
    ' }',
    '[domain_realm]',
    ` ${hostname.toLowerCase()} = ${realm}`,
    '',
  ].join('\n');
}

function bad(what: string, place: string): AgentError {
  return new AgentError('winrm_kerberos_settings', what, { place: JSON.stringify(place.slice(0, 80)) });
}
