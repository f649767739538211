// Error codes of the command line.
import { code } from '../code-info.ts';

export const CLI_CODES = {
  daemon_not_running: code(
    3,
    true,
    'the daemon is not running, so what it last said may be out of date',
    'start it: systemctl start compliance-agent',
  ),
  not_enrolled: code(
    3,
    true,
    'the appliance is not enrolled, so there is no evidence log yet',
    'plug in the provisioning stick or run compliance-agent provision',
  ),
  already_enrolled: code(
    2,
    false,
    'provisioning files were given to an appliance that is enrolled',
    'nothing needs to be done',
  ),
  entry_unknown: code(2, false, 'there is no evidence entry with that number', 'see compliance-agent evidence list'),
  entry_pruned: code(
    2,
    false,
    'the line of that entry was pruned: this appliance holds its hash only',
    'ask Central Command for it, which signed for it',
  ),
  error_code_unknown: code(2, false, 'there is no error code of that name', 'see docs/errors.md'),
  root_untrusted: code(
    4,
    false,
    'evidence was judged by a trust root that nobody vouched for',
    'give --root-sha256 with the digest from the contract or the partner',
  ),
  root_not_found: code(2, false, 'no trust root was found beside the evidence', 'name the file with --root'),
  bundle_invalid: code(
    10,
    false,
    'a bundle has no MANIFEST, or one that does not have the form of docs/formats/bundle.md',
    'ask for the bundle again, or verify its lines alone: compliance-agent evidence verify FILE --root FILE',
  ),
  bundle_mismatch: code(
    10,
    false,
    'a bundle holds other files than its MANIFEST names, or a file was changed since',
    'ask for the bundle again; sha256sum -c MANIFEST names the file',
  ),
  anchor_invalid: code(
    2,
    false,
    'the file given with --anchor holds no line "checkpoint <origin> <size> <root>" and no checkpoint note',
    'bring lines from the syslog of the site, or what compliance-agent evidence checkpoints writes',
  ),
  resume_mismatch: code(
    10,
    false,
    'the evidence, the trust root or the agent is not what it was when verification was interrupted',
    'verify from the beginning: without --resume, or with another state file',
  ),
  timestamp_refused: code(
    3,
    true,
    'the timestamp authority refused to sign, or did not answer with a timestamp',
    'it is asked again within the hour; look at timestamp_url and at what the authority says',
  ),
  export_refused: code(
    2,
    false,
    'the folder for a bundle exists already and is not overwritten',
    'name a folder that does not exist yet',
  ),
};
