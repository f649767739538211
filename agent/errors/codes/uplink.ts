// Error codes of the uplink.
import { code } from '../code-info.ts';

export const UPLINK_CODES = {
  answer_other_request: code(
    4,
    true,
    'a signed answer belongs to another request: replayed, delayed or mixed up',
    'look for a proxy or an attacker on the path',
  ),
  answer_other_appliance: code(4, true, 'a signed answer is for another appliance', 'report it to the partner'),
  answer_late: code(3, true, 'a signed answer arrived more than 60 s after its request', 'check the network'),
  answer_lifetime: code(4, true, 'a signed answer has no valid lifetime', 'check the clock of Central Command'),
  recovery_key_unusable: code(
    4,
    true,
    'the file with the sealed recovery key on the boot partition is not what the installer leaves there',
    'look at recovery.age on the boot partition: a key that is not sealed has to go from there; install anew for another one',
  ),
  evidence_diverged: code(
    4,
    true,
    'Central Command names another evidence root than ours at the same size',
    'compare both copies with evidence verify; one of them was changed',
  ),
  evidence_pruned_early: code(
    5,
    true,
    'Central Command lacks entries that it had signed for and that were then pruned on the appliance',
    'restore the evidence store of Central Command; the last receipts name its objects (evidence show), and nothing is uploaded before',
  ),
  log_rewound: code(
    5,
    false,
    'the witness holds a checkpoint, signed by the key of this appliance, of more entries than the log has',
    'the disk was set back to an older state or copied: find out by whom; it goes on in a provisional epoch, once in 24 hours',
  ),
  log_forked: code(
    5,
    false,
    'the witness holds a checkpoint, signed by the key of this appliance, with another root than the log has at that size',
    'the disk was copied or the log rewritten: find out by whom; it goes on in a provisional epoch, once in 24 hours',
  ),
  witness_refused: code(
    4,
    true,
    'the witness did not cosign the checkpoint and showed nothing of ours that contradicts it',
    'evidence is kept and uploaded without its cosignature; look at the alarms of Central Command',
  ),
  cosignature_invalid: code(
    4,
    true,
    'a cosignature is not by the witness that the trust root names',
    'look at who runs Central Command; the checkpoint counts as not witnessed',
  ),
  receipt_mismatch: code(
    4,
    true,
    'a receipt is for another log, size or root than what was uploaded',
    'compare both copies with evidence verify',
  ),
  document_mismatch: code(
    4,
    true,
    'a fetched document is not the one that the signed answer named',
    'look for a proxy on the path, or check the store of Central Command',
  ),
};
