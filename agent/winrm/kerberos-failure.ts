// What a minor status of MIT Kerberos means to a technician. Pure.
import { AgentError } from '../errors/agent-error.ts';
import type { ErrorCode } from '../errors/codes.ts';

/** First code of the error table of RFC 4120 7.5.9 in MIT's library: KDC_ERR_NONE. */
const PROTOCOL_ERRORS = -1_765_328_384;
const TABLE_SIZE = 256;

interface Failure {
  readonly code: ErrorCode;
  readonly sentence: string;
}

/** At the logon, by the number that RFC 4120 gives. Only here does a number say something about the secret. */
const AT_LOGON: Readonly<Record<number, Failure>> = {
  1: { code: 'winrm_account_disabled', sentence: 'the account is expired' },
  6: { code: 'winrm_logon_failed', sentence: 'the KDC knows no such user' },
  18: { code: 'winrm_account_locked', sentence: 'the domain says that the account is locked or disabled' },
  23: { code: 'winrm_password_expired', sentence: 'the password of the account is expired' },
  24: { code: 'winrm_logon_failed', sentence: 'the KDC refused the password' },
  31: { code: 'winrm_logon_failed', sentence: 'the answer of the KDC does not open with this password' },
};

/** At the logon and for the ticket of the host. */
const AT_KDC: Readonly<Record<number, Failure>> = {
  7: { code: 'winrm_kerberos_service', sentence: 'the KDC knows no service HTTP/ of that host name' },
  12: { code: 'winrm_access_denied', sentence: 'the domain does not let this user log on from here or now' },
  14: { code: 'winrm_kerberos_encryption', sentence: 'user or host have no AES keys in the domain' },
  37: { code: 'winrm_kerberos_clock', sentence: 'host and domain differ in time by more than five minutes' },
  // MIT's own numbers go on behind those of the RFC.
  154: { code: 'winrm_kerberos_kdc', sentence: 'no KDC is known for the realm' },
  156: { code: 'winrm_kerberos_kdc', sentence: 'no KDC of the realm answers' },
  210: { code: 'winrm_kerberos_encryption', sentence: 'the KDC offers no key of the account that is strong enough' },
  220: { code: 'winrm_kerberos_kdc', sentence: 'the name of a KDC does not resolve' },
};

/**
 * @param step where it happened, as a word: `logon`, `context`, `unwrap`
 * @param minor as the library gives it, an unsigned 32-bit number
 */
export function kerberosFailure(step: string, minor: number): AgentError {
  const number = (minor | 0) - PROTOCOL_ERRORS;
  const details = { step, krb5_error: number >= 0 && number < TABLE_SIZE ? number : minor | 0 };
  if (step === 'unwrap') return new AgentError('winrm_seal_broken', 'a sealed answer does not open', { details });
  const known = (step === 'logon' ? AT_LOGON[number] : undefined) ?? AT_KDC[number];
  if (known !== undefined) return new AgentError(known.code, known.sentence, { details });
  return new AgentError('winrm_kerberos_failed', 'Kerberos did not come to a session', { details });
}
