// Error codes of the trust root and signed documents.
import { code } from '../code-info.ts';

export const TRUST_CODES = {
  root_digest_mismatch: code(
    4,
    false,
    'a trust root is not the one whose digest was given from outside',
    'compare the digest with the partner; never continue with another root',
  ),
  root_expired: code(
    4,
    true,
    'the trust root is past its date: only a newer root is accepted until then',
    'have the partner sign the next root',
  ),
  binding_invalid: code(
    4,
    false,
    'a binding contradicts itself, the root, or the device it should be for',
    'have the appliance enrolled again',
  ),
  policy_invalid: code(4, false, 'a site policy contradicts itself', 'correct the named field and sign it again'),
  policy_other_site: code(4, false, 'a site policy is for another partner or site', 'sign a policy for this site'),
  policy_version: code(
    4,
    false,
    'a site policy is not newer than the one in force',
    'raise its version and sign it again',
  ),
  content_invalid: code(
    4,
    false,
    'a content list contradicts itself or is for another partner',
    'correct the named field and sign it again',
  ),
  content_version: code(
    4,
    false,
    'a content list is not newer than the one in force',
    'raise its version and sign it again',
  ),
  revocations_invalid: code(
    4,
    false,
    'a list of revocations contradicts itself or is for another partner',
    'correct the named field and sign it again',
  ),
  revocations_version: code(
    4,
    false,
    'a list of revocations is not newer than the one in force',
    'raise its version and sign it again',
  ),
  time_zone_unknown: code(
    2,
    false,
    'a time zone is not an IANA name that this system knows',
    'use a name such as Europe/Berlin',
  ),
};
