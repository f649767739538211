// The closed list of error codes. A code never changes its meaning; docs/errors.md is generated from this table.

/** What a code says about the process that meets it and about whoever retries. */
export interface CodeInfo {
  /** Exit code of the CLI when this error ends a command (see exit-codes.ts for their meanings). */
  readonly exit: 1 | 2 | 3 | 4 | 5 | 6 | 7;
  /** True where the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean;
  /** One line for docs/errors.md: when this happens. */
  readonly when: string;
  /** One line for docs/errors.md: what to do about it. */
  readonly remedy: string;
}

const code = (exit: CodeInfo['exit'], retryable: boolean, when: string, remedy: string): CodeInfo => ({
  exit,
  retryable,
  when,
  remedy,
});

export const CODES = {
  // wire
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
  // signatures and roles
  signature_invalid: code(
    4,
    false,
    'no acceptable signature of the required role',
    'have the document signed by the right key',
  ),
  threshold_not_met: code(
    4,
    false,
    'fewer distinct persons signed than the role requires',
    'collect the missing signatures',
  ),
  root_invalid: code(
    4,
    false,
    'a trust root contradicts itself or its predecessor',
    'create the root anew with central-command',
  ),
  root_version: code(
    4,
    false,
    'a trust root is not the direct successor of the pinned one',
    'supply every root in between',
  ),
  // daemon and orders
  status_unreadable: code(
    5,
    false,
    'the status file of the daemon cannot be read',
    'read it as the agent or as root, or start the daemon',
  ),
  stage_overrun: code(3, true, 'a stage of the cycle did not end by its deadline', 'see the log lines of that stage'),
  order_interrupted: code(
    3,
    false,
    'the agent stopped while an order was being carried out',
    'look at what the verify step saw, then issue the order again',
  ),
  order_handler_failed: code(
    1,
    false,
    'an order was accepted, but carrying it out failed',
    'see the log lines with its order_id',
  ),
  order_deadline: code(
    3,
    false,
    'an order was not carried out within its time',
    'see what the verify step saw, then issue the order again',
  ),
  restart_not_seen: code(
    3,
    false,
    'the agent did not come back in time after a restart that was ordered',
    'look at the journal of the unit',
  ),
  healing_already_paused: code(2, false, 'healing is paused for longer already', 'nothing needs to be done'),
  signed_time_went_back: code(
    4,
    true,
    'Central Command answered with an earlier time than before',
    'check the clock of Central Command',
  ),
  baseline_unreadable: code(2, true, 'the baseline or a control map cannot be read', 'correct the named file'),
  internal: code(1, false, 'a defect of this program', 'report it with the log lines around it'),
} as const satisfies Record<string, CodeInfo>;

export type ErrorCode = keyof typeof CODES;
