// Error codes of identity and enrolment.
import { code } from '../code-info.ts';

export const IDENTITY_CODES = {
  key_unreadable: code(5, false, 'a private key file cannot be read', 'make it readable for the user of the agent'),
  key_permissions: code(
    5,
    false,
    'a private key file is open to others or owned by another user',
    'chown and chmod 600',
  ),
  key_malformed: code(
    5,
    false,
    'a private key file does not hold the PEM key that belongs there',
    'restore the file, or remove it to enrol with a new key',
  ),
  provision_missing: code(2, true, 'there is no clinic.yaml to enrol with', 'plug in the provisioning stick'),
  provision_invalid: code(2, false, 'the provisioning files hold mistakes', 'correct each named line'),
  reset_unreadable: code(
    2,
    false,
    'the note of a reset that was begun cannot be read',
    'remove reset.json in the state directory and ask for the reset again',
  ),
  reset_not_confirmed: code(
    2,
    false,
    'a reset was asked for without naming the appliance that is to be forgotten',
    'repeat it with --confirm and the id that status names (or the fingerprint, before enrolment)',
  ),
  enrolment_refused: code(7, false, 'Central Command refused the enrolment', 'see the code that it named'),
  enrolment_mismatch: code(
    4,
    false,
    'an enrolment answer names another key, site or partner than ours',
    'look for mixed-up provisioning files; otherwise treat Central Command as compromised',
  ),
  certificate_mismatch: code(
    4,
    true,
    'a renewed certificate is for another key or appliance, of another CA, or out of date',
    'look for a proxy on the path, and check the clock and the CA of Central Command',
  ),
};
