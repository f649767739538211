// Error codes of targets and their credentials.
import { code } from '../code-info.ts';

export const TARGETS_CODES = {
  targets_not_accepted: code(
    4,
    true,
    'the targets in an answer could not be taken; the ones in force stay until they expire',
    'see the cause in the details; central-command target list shows what is handed out',
  ),
  credential_stopped: code(
    5,
    false,
    'a target has proven the secret of a credential wrong, locked or expired; it is tried on no target any more',
    'store the right secret (central-command target set-secret), or sign a retry_credentials order',
  ),
  credential_waiting: code(
    5,
    true,
    'a logon is not tried now: another target tries the new secret first, or a wait after another failure is not over',
    'nothing; it is tried again by itself',
  ),
  credential_not_stopped: code(
    2,
    false,
    'a retry was asked of a credential that is not stopped in this version',
    'see the targets in the last check-in; a new version is tried without an order',
  ),
  credential_retry_too_soon: code(
    2,
    true,
    'a retry of this credential was taken within the last 24 hours',
    'store a new secret, or wait: more tries could lock the account',
  ),
  target_certificate_invalid: code(
    2,
    false,
    'the secret of a target with auth certificate is not a private key and its certificate in PEM, or they do not belong together',
    'store one PEM text: the key without a password, its certificate, then the CAs between (central-command target set-secret < FILE)',
  ),
  target_certificate_purpose: code(
    2,
    false,
    'a client certificate is not for client authentication',
    'have one issued whose extended key usage names client authentication (1.3.6.1.5.5.7.3.2)',
  ),
  target_certificate_date: code(
    2,
    false,
    'a client certificate is expired or not valid yet',
    'have it renewed and store the new one, or correct the clock',
  ),
  target_certificate_ends: code(
    3,
    false,
    'the certificate that a target shows over TLS ends within 30 days, or has ended',
    'renew it on that machine and bind it to the HTTPS listener; where its key is pinned, keep the key or hand out the new pin',
  ),
  content_too_large: code(
    4,
    false,
    'the files that a content list names are larger than 64 MiB together',
    'take what appliances do not need out of the list',
  ),
  content_mismatch: code(
    4,
    true,
    'what Central Command sent for a digest of the content list is something else',
    'sign the content anew with central-command content sign; the list before stays in force',
  ),
};
