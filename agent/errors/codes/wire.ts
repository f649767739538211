// Error codes of documents and encodings.
import { code } from '../code-info.ts';

export const WIRE_CODES = {
  json_not_strict: code(
    4,
    false,
    'signed JSON is not in its one allowed spelling (duplicate key, space, odd number, reordered key)',
    'produce the bytes with JSON.stringify semantics as docs/formats/encodings.md says',
  ),
  json_too_large: code(4, false, 'a JSON document is over its size limit', 'send a smaller document'),
  json_too_deep: code(4, false, 'a JSON document nests deeper than 16 levels', 'flatten the document'),
  base64_invalid: code(4, false, 'text is not standard padded base64', 'encode with padding and without stray bits'),
  envelope_invalid: code(4, false, 'a DSSE envelope is malformed', 'see docs/formats/envelope.md'),
  payload_type_mismatch: code(
    4,
    false,
    'an envelope carries another payloadType than this place accepts',
    'sign the document that belongs here',
  ),
  schema_invalid: code(
    4,
    false,
    'a document does not fit its schema (unknown or missing field, wrong type or range)',
    'correct the named field',
  ),
  note_invalid: code(4, false, 'a signed note or checkpoint is malformed', 'see docs/formats/checkpoint.md'),
  proof_invalid: code(
    4,
    false,
    'a Merkle proof does not lead to the given root',
    'the log was changed or the proof is for another tree',
  ),
  key_invalid: code(4, false, 'a public key is malformed, of small order or not torsion-free', 'create the key anew'),
  hpke_unreadable: code(
    4,
    false,
    'a sealed message (HPKE) does not open: it is for another key or request, or was changed',
    'nothing to do for one answer; if it comes with every answer, something between here and Central Command changes them',
  ),
  targets_invalid: code(
    4,
    false,
    'the targets in an answer are malformed, or name one target twice',
    'see docs/formats/targets.md; correct them with central-command target',
  ),
  targets_expired: code(
    4,
    true,
    'the targets in an answer are over already, or would last longer than 15 minutes',
    'nothing to do for one answer; otherwise look at the clock of Central Command',
  ),
};
