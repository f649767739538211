// Error codes of privileged helpers (docs/helpers.md).
import { code } from '../code-info.ts';

export const HELPERS_CODES = {
  helper_not_root: code(7, false, 'a privileged helper was started without root', 'let systemd start its unit'),
  helper_surroundings_unsafe: code(
    7,
    false,
    'others than root could change what a helper keeps, or the way to what it is handed',
    'let systemd make the folders of the unit, and put the configuration where only root writes',
  ),
  helper_input_missing: code(
    3,
    true,
    'a helper was started and nothing was handed to it',
    'wait for the next check-in',
  ),
  helper_input_unsafe: code(
    7,
    false,
    'what was handed to a helper is no plain file of the daemon: a link, a device, another owner, more than one name',
    'find out who put it there: the daemon writes plain files of its own',
  ),
  helper_state_damaged: code(
    5,
    false,
    'what a helper keeps cannot be read',
    'remove its state folder; it is filled again from what is signed, and starts with the root in the configuration',
  ),
  helper_busy: code(3, true, 'another helper is at work', 'start it again later'),
  helper_rate_limited: code(3, true, 'a helper was started more often than it may be', 'wait; see docs/helpers.md'),
  helper_root_unknown: code(
    7,
    false,
    'a helper has no trust root yet, and none with the digest that root_sha256 names was handed to it',
    'set root_sha256 in the configuration to the digest that the partner publishes (NixOS: rootSha256)',
  ),
  helper_time_old: code(
    4,
    true,
    'the signed time that a helper was handed lies before one that it knows',
    'wait for the next check-in; if it lasts, find out who hands it old answers',
  ),
  helper_time_off: code(
    4,
    true,
    'signed time and the synchronised clock of the machine differ by more than 120 s',
    'check the time servers of the site and the clock of Central Command',
  ),
  helper_time_unneeded: code(
    3,
    true,
    'the clock is synchronised or right: there is nothing to set',
    'nothing needs to be done',
  ),
  helper_time_implausible: code(
    4,
    true,
    'the signed time that the clock would be set to lies before the trust root was made',
    'check the clock of Central Command',
  ),
  helper_clock_failed: code(5, true, 'the kernel did not take the time', 'see the errno in the message'),
  helper_other_appliance: code(
    4,
    false,
    'a helper was handed the binding of another appliance, or one of an earlier epoch',
    'find out how it came here; a machine that was set up anew starts with an empty state folder of the helpers',
  ),
  helper_slot_taken: code(
    7,
    false,
    'another device key is stored already, and no binding says that the epoch changed',
    'wait until Central Command has bound the new key; then the helper takes it',
  ),
  helper_seal_failed: code(5, true, 'systemd-creds did not encrypt the device key', 'see what it said in the journal'),
};
