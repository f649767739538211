// Error codes of tickets and channels.
import { code } from '../code-info.ts';

export const OUTPUTS_CODES = {
  output_settings: code(
    2,
    false,
    'an output of the site policy cannot be used as it stands: its credential is missing or of another form, or its address is not allowed',
    'docs/tickets.md says for each kind what path and credential hold; correct the policy or the credential on the appliance',
  ),
  output_refused: code(
    3,
    false,
    'an output said for good that it does not take a message about a ticket',
    'look at the dead letters (compliance-agent tickets list) and at the settings of the output on the other side',
  ),
  output_failed: code(
    3,
    true,
    'an output did not take a message about a ticket; it is tried again',
    'check name, credential and reachability of the output; nothing is lost meanwhile',
  ),
  ticket_unknown: code(2, false, 'there is no ticket of that id', 'see tickets list'),
  ticket_undelivered: code(
    3,
    true,
    'a ticket has not reached an output for an hour, or was given up',
    'see compliance-agent tickets list for the output and the reason',
  ),
};
