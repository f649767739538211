// Error codes of writing evidence.
import { code } from '../code-info.ts';

export const EVIDENCE_CODES = {
  entry_too_large: code(4, false, 'an evidence entry would be over 65,535 bytes', 'record less in one entry'),
  evidence_binding_mismatch: code(
    5,
    false,
    'the signing key or the log in the store belongs to another binding than the one in force',
    'restore the key and the store that belong together, or enrol the appliance anew',
  ),
};
