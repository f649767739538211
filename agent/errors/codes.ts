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
  shutting_down: code(3, true, 'the agent is stopping', 'nothing: it ends what it does and exits'),
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
  // https
  url_invalid: code(2, false, 'an address of Central Command is not a plain https:// URL', 'correct central_url'),
  dns_failed: code(3, true, 'a host name did not resolve', 'check the DNS server and the host name'),
  connect_refused: code(
    3,
    true,
    'nothing listens at the port',
    'check that Central Command runs and the port is right',
  ),
  connect_failed: code(3, true, 'no connection to the host', 'check cable, gateway, firewall and egress rules'),
  request_timeout: code(3, true, 'no complete answer by the deadline', 'check the network and the load of the server'),
  request_aborted: code(3, true, 'a request was given up because the program stops', 'nothing needs to be done'),
  tls_untrusted: code(
    4,
    false,
    'the server certificate is not issued by the CA that this appliance was given',
    'look for TLS inspection on the path, or supply the right ca.pem',
  ),
  tls_pin_mismatch: code(
    4,
    false,
    'the server certificate chains to a CA whose key is not pinned',
    'look for TLS inspection on the path, or supply the right ca_pins',
  ),
  tls_name_mismatch: code(
    4,
    false,
    'the server certificate is for another name',
    'correct central_url or the certificate of Central Command',
  ),
  tls_date_invalid: code(
    4,
    true,
    'the server certificate is expired or not yet valid by the clock of this machine',
    'check the clock of this machine first, then the certificate of Central Command',
  ),
  tls_client_refused: code(
    7,
    false,
    'the server refused the certificate of this appliance',
    'have the appliance enrolled again or its certificate renewed',
  ),
  tls_failed: code(
    3,
    true,
    'no TLS 1.3 handshake: plain HTTP, an old TLS version, or cut on the way',
    'check the port, and look for TLS inspection or a DNS filter on the path',
  ),
  response_too_large: code(4, true, 'an answer is larger than this place accepts', 'check what answers at the address'),
  response_truncated: code(3, true, 'the connection ended before the answer was complete', 'check the network'),
  response_not_expected: code(
    4,
    true,
    'something answered that is not Central Command',
    'look for a captive portal, a DNS filter or TLS inspection on the path',
  ),
  http_refused: code(7, false, 'Central Command refused a request (4xx)', 'see the code that it named'),
  http_unavailable: code(3, true, 'Central Command cannot answer now (408, 429 or 5xx)', 'wait; it is tried again'),
  // identity
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
  csr_failed: code(1, true, 'the certificate request could not be made', 'report it with the log lines around it'),
  provision_missing: code(2, true, 'there is no clinic.yaml to enrol with', 'plug in the provisioning stick'),
  provision_invalid: code(2, false, 'the provisioning files hold mistakes', 'correct each named line'),
  enrolment_refused: code(7, false, 'Central Command refused the enrolment', 'see the code that it named'),
  enrolment_mismatch: code(
    4,
    false,
    'an enrolment answer names another key, site or partner than ours',
    'look for mixed-up provisioning files; otherwise treat Central Command as compromised',
  ),
  // uplink
  answer_other_request: code(
    4,
    true,
    'a signed answer belongs to another request: replayed, delayed or mixed up',
    'look for a proxy or an attacker on the path',
  ),
  answer_other_appliance: code(4, true, 'a signed answer is for another appliance', 'report it to the partner'),
  answer_late: code(3, true, 'a signed answer arrived more than 60 s after its request', 'check the network'),
  answer_lifetime: code(4, true, 'a signed answer has no valid lifetime', 'check the clock of Central Command'),
  evidence_diverged: code(
    4,
    true,
    'Central Command names another evidence root than ours at the same size',
    'compare both copies with evidence verify; one of them was changed',
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
  // central
  usage: code(2, false, 'a command line argument is missing or wrong', 'see --help of the command'),
  central_exists: code(
    2,
    false,
    'a Central Command or its keys already lie in the folder; nothing is overwritten',
    'name empty folders for --data and --keys',
  ),
  central_missing: code(2, false, 'the data folder holds no Central Command', 'run central-command init first'),
  central_damaged: code(
    5,
    false,
    'the database of Central Command is damaged or newer than this program',
    'restore the backup, or start the version that wrote it',
  ),
  central_locked: code(
    5,
    true,
    'another central-command serve uses the data folder',
    'stop the other one, or name another data folder',
  ),
  keys_inside_data: code(
    2,
    false,
    'the folder of the root, content and operator keys and the data folder of the server lie in one another',
    'name a --keys folder outside of the data folder',
  ),
  signer_not_in_root: code(
    7,
    false,
    'no key in the --keys folder is named for this role by the trust root',
    'use the folder that init made, or have the root name the key',
  ),
  site_unknown: code(2, false, 'no site of that id', 'add it with central-command site add'),
  site_exists: code(2, false, 'a site of that id belongs to another customer already', 'choose another id'),
  appliance_unknown: code(2, false, 'no appliance of that id or fingerprint', 'see central-command appliance list'),
  appliance_exists: code(2, false, 'another appliance has that id', 'choose another id'),
  central_url_unknown: code(
    2,
    false,
    'Central Command does not know the address by which appliances reach it',
    'start serve with --url, or name --url here',
  ),
  enrolment_token_unknown: code(
    7,
    false,
    'Central Command never gave out this enrolment token',
    'write a new stick with central-command usb write',
  ),
  enrolment_token_expired: code(
    7,
    false,
    'the enrolment token is past its date',
    'write a new stick with central-command usb write',
  ),
  enrolment_token_used: code(
    7,
    false,
    'another device has used the enrolment token already',
    'find out which device used it, then write a new stick',
  ),
  enrolment_source_unsupported: code(
    7,
    false,
    'Central Command does not take claims of this source, or the claim lacks what its source needs',
    'enrol with a stick written by central-command usb write',
  ),
  enrolment_key_changed: code(
    7,
    false,
    'an enrolled device claims again with another TLS key than the one bound to it',
    'enrol the device anew with a new device key',
  ),
  csr_invalid: code(
    4,
    false,
    'a certificate request is malformed, not signed by its own key, or for another key than the claim names',
    'create the request anew',
  ),
  client_certificate_missing: code(
    7,
    false,
    'the request came without a client certificate',
    'enrol the appliance first',
  ),
  client_certificate_invalid: code(
    7,
    false,
    'the client certificate is lapsed or not issued by the CA of this Central Command',
    'have the certificate renewed or the appliance enrolled again',
  ),
  identity_mismatch: code(
    7,
    false,
    'client certificate, bound TLS key, payload and device signature do not all name the same appliance',
    'have the appliance enrolled again; if it was not changed, treat its keys as copied',
  ),
  counter_reused: code(
    7,
    true,
    'a check-in counter did not rise within its boot: a repeated request or a copy of the appliance',
    'look for a second machine with the same keys',
  ),
  epoch_unknown: code(7, false, 'a request names an epoch that is not bound to the appliance', 'see appliance list'),
  origin_not_bound: code(7, false, 'evidence is for a log that is not bound to this appliance', 'see appliance list'),
  evidence_framing: code(
    4,
    false,
    'an evidence upload is not lines that each end with a line feed and fit the limits',
    'see docs/formats/http-api.md',
  ),
  evidence_conflict: code(
    4,
    false,
    'an entry was uploaded with other bytes than those stored under the same number',
    'compare both copies with evidence verify; both are kept',
  ),
  evidence_gap: code(4, true, 'an evidence upload does not continue what is stored', 'upload from expected_seq'),
  evidence_damaged: code(
    5,
    true,
    'the stored evidence of a log does not match what its receipts promise',
    'restore the evidence folder from its backup and restart Central Command',
  ),
  document_unknown: code(2, false, 'no such root, content list or policy for this appliance', 'check in again'),
  route_unknown: code(2, false, 'no such address in the API', 'see central/openapi.yaml'),
  method_not_allowed: code(2, false, 'the address does not take this HTTP method', 'see central/openapi.yaml'),
  host_unknown: code(2, false, 'the Host header names another server', 'start serve with --url of the name in use'),
  media_type_unsupported: code(2, false, 'the body has another content type', 'see central/openapi.yaml'),
  request_malformed: code(2, false, 'a request is not proper HTTP or lacks a header', 'see central/openapi.yaml'),
  body_too_large: code(2, false, 'a request body is over its size limit', 'send less at once'),
  rate_limited: code(3, true, 'too many requests of one appliance or address', 'wait for Retry-After'),
  order_needs_authorisation: code(
    7,
    false,
    'the order is disruptive and needs an authorisation signed by two persons',
    'there is no command for authorisations yet; choose a read or routine order',
  ),
  order_class_differs: code(
    2,
    false,
    'the class named on the command line is not the class that the order has',
    'leave --class away',
  ),
  order_backlog_full: code(3, true, 'the appliance has 64 outstanding orders', 'wait until some are done or expired'),
  // system
  file_missing: code(5, true, 'a file or its directory does not exist', 'check the path in the message'),
  file_denied: code(
    7,
    true,
    'the operating system denies access to a file',
    "give the agent's user access to the path",
  ),
  file_read_only: code(5, true, 'a file system is mounted read-only', 'check the disk and remount it read-write'),
  file_too_large: code(5, false, 'a file is larger than its limit', 'check what wrote it'),
  file_failed: code(5, true, 'a file cannot be read or written', 'check the disk and the kernel log'),
  file_permissions: code(
    7,
    false,
    'others than its owner can read or change a secret file',
    "chmod 600 the file, chown it to the agent's user, and renew the secret if others may have read it",
  ),
  disk_full: code(5, true, 'a file system has no space left', 'free space on the disk that holds the path'),
  // config
  config_not_found: code(
    2,
    false,
    'there is no configuration file',
    'write one (docs/configuration.md) or name it with --config',
  ),
  config_unreadable: code(
    2,
    false,
    'the configuration file cannot be read',
    'make it a plain UTF-8 file that the agent may read',
  ),
  config_invalid: code(2, false, 'the configuration holds mistakes', 'correct each named line'),
  config_syntax: code(
    2,
    false,
    'the configuration is not plain YAML',
    'write `key: value` lines without anchors, aliases and tags',
  ),
  config_key_unknown: code(2, false, 'the configuration has a key that does not exist', 'correct or remove the line'),
  config_key_duplicate: code(2, false, 'the configuration sets a key twice', 'keep one of the two lines'),
  config_key_missing: code(2, false, 'the configuration lacks a required key', 'add it'),
  config_value_invalid: code(
    2,
    false,
    'a value in the configuration has a wrong type or is out of range',
    'correct the value',
  ),
  config_path_relative: code(
    2,
    false,
    'a path in the configuration is relative',
    'write the whole path, starting with /',
  ),
  config_time_zone_unknown: code(
    2,
    false,
    'a time zone in the configuration does not exist',
    'use a name such as Europe/Vienna or UTC',
  ),
  reseller_id_missing: code(
    2,
    false,
    'mode is reseller and reseller_id is absent',
    'add `reseller_id: <id of the partner>` or set `mode: direct`',
  ),
  internal: code(1, false, 'a defect of this program', 'report it with the log lines around it'),
} as const satisfies Record<string, CodeInfo>;

export type ErrorCode = keyof typeof CODES;
