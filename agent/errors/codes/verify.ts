// Error codes of verifying evidence.
import { code } from '../code-info.ts';

export const VERIFY_CODES = {
  entry_signature_count: code(
    4,
    false,
    'an evidence entry carries none or more than one signature',
    'the log was changed after it was signed: find an unchanged copy',
  ),
  entry_unbound: code(
    4,
    false,
    'a log does not begin with a binding that the registrar signed for its key',
    'check that the whole log and the right trust root were given',
  ),
  epoch_unbound: code(
    4,
    false,
    'a log begins with a succession, and the binding that the registrar signs for it is not there',
    'it is there after the next answered check-in; until then nobody vouches for the log',
  ),
  epoch_unconfirmed: code(
    4,
    false,
    'the confirmation of a provisional epoch is not signed by enough persons, or is for another epoch',
    'have as many operators sign it as the trust root asks for: central-command appliance confirm-epoch',
  ),
  epoch_provisional: code(
    5,
    true,
    'the log goes on in an epoch that this appliance opened itself, and people have not confirmed it yet',
    'find out why the epoch before it ended, then: central-command appliance confirm-epoch',
  ),
  epoch_too_soon: code(
    4,
    true,
    'a provisional epoch follows within 24 hours of another, or by the TLS key while the device key is in use',
    'have the provisional epoch looked into: something goes on damaging or resetting this appliance',
  ),
  succession_invalid: code(
    4,
    false,
    'a succession does not lead from the epoch before to the very next one, under a new key',
    'treat the log as one that somebody else wrote',
  ),
  entry_origin: code(
    4,
    false,
    'an evidence entry belongs to another log, site or appliance than those around it',
    'the log was put together from several: find an unchanged copy',
  ),
  entry_seq: code(
    4,
    false,
    'an evidence entry is missing, doubled or out of order',
    'find an unchanged copy of the log',
  ),
  entry_prev: code(
    4,
    false,
    'an evidence entry does not follow the one before it (hash chain)',
    'find an unchanged copy of the log',
  ),
  entry_time: code(4, false, 'an evidence entry ends before it begins', 'report it with the entry'),
  log_empty: code(9, false, 'a log holds no entry', 'check that the right file was given'),
  log_truncated: code(
    9,
    false,
    'a log is shorter than a receipt, a checkpoint, a timestamp or an anchor confirms',
    'the end was cut off: fetch the rest from Central Command',
  ),
  left_out_invalid: code(
    4,
    false,
    'what stands in a bundle for entries that are left out does not fit: no subtree of the log, a line without the leaf before it, or a receipt or checkpoint that ends within',
    'ask for a bundle of the whole log: export without --from and --to',
  ),
  timestamp_invalid: code(
    4,
    false,
    'an RFC 3161 timestamp is malformed, is over something else than what it is for, or is not signed by the authority that is trusted',
    'look at it with openssl ts -reply -text; take another authority if this goes on',
  ),
  checkpoint_mismatch: code(
    4,
    false,
    'a checkpoint is of another log than the one that is verified',
    'bring the checkpoints of this log',
  ),
  log_root_mismatch: code(
    4,
    false,
    'a log has another Merkle root than a receipt confirms',
    'the log was rewritten: compare it with the copy at Central Command',
  ),
  origin_revoked: code(
    4,
    false,
    'entries of a log do not count: the partner revoked the log from that size on',
    'rely on the entries below it only, and ask the partner what happened to the appliance',
  ),
};
