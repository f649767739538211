// Valid orders, check-ins and receipts, with changes that make them invalid.
import type { Sample } from './sample.ts';
import { EMBEDDED_BINDING, ORIGIN } from './samples-enrolment.ts';
import { NOW, PARTNER, SHA } from './samples-trust.ts';
import { envelope, vectorKey } from './signing.ts';

const uuid = (n: number): string => `019e0000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
const BOOT_ID = '3f2b0c1e-0000-4000-8000-000000000001';
const where = { partner_id: PARTNER, site_id: 'main-street', appliance_id: 'main-street-1' };

const AUTHORISATION = {
  schema: 'compliance-agent/authorisation/v1',
  authorisation_id: uuid(0xa1),
  ...where,
  kind: 'run_runbook',
  runbook: { id: 'RB-WIN-PATCH-001', version: 1, sha256: SHA(13) },
  params: { kb: 'KB5000001' },
  targets: [{ id: 'dc-1', pinned_identity: 'S-1-5-21-1-2-3' }],
  window: { mode: 'require' },
  issued_at: NOW - 7_200,
  not_after: NOW + 86_400,
};
const EMBEDDED_AUTHORISATION = envelope(
  'application/vnd.compliance-agent.authorisation+json',
  JSON.stringify(AUTHORISATION),
  [vectorKey('operator-a'), vectorKey('operator-b')],
);

const ORDER = {
  schema: 'compliance-agent/order/v1',
  order_id: uuid(1),
  ...where,
  epoch: 1,
  seq: 7,
  issued_at: NOW - 10,
  not_before: NOW - 10,
  expires_at: NOW + 600,
  class: 'read',
  kind: 'run_check',
  params: { checks: ['disk', 'clock'] },
  targets: [],
  dry_run: false,
  window: { mode: 'require' },
  ticket: 'T-1000',
};
const EMBEDDED_ORDER = envelope('application/vnd.compliance-agent.order+json', JSON.stringify(ORDER), [
  vectorKey('order'),
]);

const order: Sample = {
  document: 'order',
  signer: 'order',
  valid: {
    'a check': ORDER,
    'a disruptive runbook with its authorisation, outside of the window': {
      ...ORDER,
      order_id: uuid(2),
      seq: 8,
      class: 'disruptive',
      kind: 'run_runbook',
      runbook: AUTHORISATION.runbook,
      params: AUTHORISATION.params,
      targets: AUTHORISATION.targets,
      window: { mode: 'override', reason: 'the clinic is closed today' },
      authorisation: EMBEDDED_AUTHORISATION,
    },
  },
  changes: [
    ['seq 0', '"seq":7', '"seq":0', 'schema_invalid'],
    ['seq with a fraction', '"seq":7', '"seq":7.5', 'json_not_strict'],
    ['seq written as an exponent', '"seq":7', '"seq":7e0', 'json_not_strict'],
    ['seq beyond 2^53', '"seq":7', '"seq":9007199254740993', 'json_not_strict'],
    ['a kind that does not exist', '"run_check"', '"run_shell"', 'schema_invalid'],
    ['a class that does not exist', '"class":"read"', '"class":"root"', 'schema_invalid'],
    ['a UUID of version 4', '019e0000-0000-7000', '019e0000-0000-4000', 'schema_invalid'],
    ['dry_run as a number', '"dry_run":false', '"dry_run":0', 'schema_invalid'],
    ['an override without a reason', '{"mode":"require"}', '{"mode":"override"}', 'schema_invalid'],
    ['a parameter named __proto__', '"params":{', '"params":{"__proto__":{"x":1},', 'json_not_strict'],
    ['a parameter named constructor', '"params":{', '"params":{"constructor":1,', 'json_not_strict'],
    ['a parameter whose name is made of digits', '"params":{', '"params":{"0":1,', 'json_not_strict'],
    ['a parameter with half a surrogate pair', '"disk"', '"\\ud83d"', 'json_not_strict'],
    ['parameters 17 deep', '"params":{', `"params":{"a":${'['.repeat(15)}${']'.repeat(15)},`, 'json_too_deep'],
    ['more than 48,000 bytes', '"disk"', `"${'x'.repeat(48_000)}"`, 'json_too_large'],
  ],
};

const authorisation: Sample = {
  document: 'authorisation',
  signer: 'operator-a',
  valid: { 'a runbook on one target': AUTHORISATION },
  changes: [
    ['a runbook without its digest', `,"sha256":"${SHA(13)}"`, '', 'schema_invalid'],
    ['a kind that does not exist', '"kind":"run_runbook"', '"kind":"run_anything"', 'schema_invalid'],
    ['a target without an id', '"id":"dc-1",', '', 'schema_invalid'],
  ],
};

const HEALTH = {
  results: [{ check: 'disk', target: 'appliance', result: 'pass' }],
  queue: { entries: 3, bytes: 4_096, oldest_at: NOW - 60 },
  targets: [],
  disk: { free_bytes: 1_000_000, total_bytes: 4_000_000 },
  memory: { rss_bytes: 80_000_000 },
  clock: { source: 'ntp', synchronized: true, skew_ms: -3 },
};

const CHECKIN = {
  schema: 'compliance-agent/checkin-request/v1',
  accepts: ['compliance-agent/checkin-answer/v1'],
  appliance_id: 'main-street-1',
  site_id: 'main-street',
  epoch: 1,
  counter: 42,
  nonce: '0123456789abcdef'.repeat(2),
  sent_at: NOW,
  boot_id: BOOT_ID,
  uptime_s: 3_600,
  agent_version: '0.1.0',
  nixos_revision: null,
  root_version: 3,
  content_version: 12,
  policy_version_applied: null,
  revocations_version: 2,
  order_floor: 6,
  results: [
    { order_id: uuid(1), payload_sha256: SHA(14), state: 'result', outcome: 'success', evidence_seq: 12, at: NOW - 30 },
    {
      order_id: null,
      payload_sha256: SHA(15),
      state: 'refused',
      outcome: 'rejected',
      code: 'signature_invalid',
      evidence_seq: 13,
      at: NOW,
    },
  ],
  witness_request: null,
  last_cosigned: null,
  hpke_public_key: Buffer.alloc(32, 9).toString('base64'),
  health: HEALTH,
};

const checkinRequest: Sample = {
  document: 'checkinRequest',
  signer: 'device',
  valid: {
    'two results': CHECKIN,
    'an epoch that is not bound yet': {
      ...CHECKIN,
      epoch: 2,
      epoch_state: {
        status: 'unbound',
        succession: EMBEDDED_BINDING,
        ended: {
          old_origin: ORIGIN,
          own_size: null,
          own_root: null,
          witnessed_size: 4_711,
          witnessed_root: SHA(10),
          cause: 'store_corrupt',
        },
      },
    },
    'an epoch that people have not confirmed yet': { ...CHECKIN, epoch: 2, epoch_state: { status: 'provisional' } },
    'a checkpoint to be witnessed and a blocking reason': {
      ...CHECKIN,
      results: [],
      witness_request: `old 0\n\n${ORIGIN}\n1\n${Buffer.alloc(32).toString('base64')}\n\n— x AAAAAAA=\n`,
      health: {
        ...HEALTH,
        queue: { entries: 0, bytes: 0, oldest_at: null },
        blocking_reason: { code: 'disk_full', sentence: 'the disk is full' },
      },
    },
  },
  changes: [
    ['counter 0', '"counter":42', '"counter":0', 'schema_invalid'],
    [
      'an HPKE key of 30 bytes',
      Buffer.alloc(32, 9).toString('base64'),
      Buffer.alloc(30, 9).toString('base64'),
      'schema_invalid',
    ],
    ['a result of an unknown kind', '"result":"pass"', '"result":"ok"', 'schema_invalid'],
    ['a state that does not exist', '"state":"refused"', '"state":"ignored"', 'schema_invalid'],
    ['a version 0 of revocations', '"revocations_version":2', '"revocations_version":0', 'schema_invalid'],
    ['accepting nothing', '["compliance-agent/checkin-answer/v1"]', '[]', 'schema_invalid'],
    ['a boot id in capitals', '3f2b0c1e', '3F2B0C1E', 'schema_invalid'],
    ['minus zero', '"skew_ms":-3', '"skew_ms":-0', 'json_not_strict'],
  ],
};

const checkinAnswer: Sample = {
  document: 'checkinAnswer',
  signer: 'timestamp',
  valid: {
    'one order': {
      schema: 'compliance-agent/checkin-answer/v1',
      appliance_id: 'main-street-1',
      request_sha256: SHA(16),
      server_time: NOW,
      expires_at: NOW + 300,
      root_version: 3,
      content: { version: 12, sha256: SHA(17) },
      policy: null,
      revocations: { version: 2, sha256: SHA(20) },
      config: { checkin_interval_s: 60, log_level: 'info' },
      orders: [EMBEDDED_ORDER],
      witness: null,
      stored: { size: 14, root: SHA(18) },
      receipts: [],
      next_checkin_s: 60,
    },
    'a stale checkpoint': {
      schema: 'compliance-agent/checkin-answer/v1',
      appliance_id: 'main-street-1',
      request_sha256: SHA(16),
      server_time: NOW,
      expires_at: NOW + 300,
      root_version: 3,
      content: null,
      policy: null,
      revocations: null,
      config: { checkin_interval_s: 60, log_level: 'debug' },
      orders: [],
      witness: { verdict: 'stale', latest: `${ORIGIN}\n1\n${Buffer.alloc(32).toString('base64')}\n\n— x AAAAAAA=\n` },
      stored: { size: 0, root: SHA(18) },
      receipts: [],
      next_checkin_s: 60,
    },
  },
  changes: [
    ['steering more than intervals and log level', '"config":{', '"config":{"healing":"on",', 'schema_invalid'],
    ['an order that is no object', JSON.stringify(EMBEDDED_ORDER), '"restart"', 'schema_invalid'],
    [
      'a receipt that is no envelope',
      '"receipts":[]',
      '"receipts":[{"payload":"e30=","payloadType":"application/vnd.x","signatures":[]}]',
      'schema_invalid',
    ],
    ['the digest of another algorithm', SHA(16), SHA(16).slice(24), 'schema_invalid'],
    ['a witness verdict that does not exist', '"witness":null', '"witness":{"verdict":"fine"}', 'schema_invalid'],
    [
      'revocations without their digest',
      `"revocations":{"version":2,"sha256":"${SHA(20)}"}`,
      '"revocations":{"version":2}',
      'schema_invalid',
    ],
    ['an interval of a day', '"checkin_interval_s":60', '"checkin_interval_s":86400', 'schema_invalid'],
  ],
};

const receipt: Sample = {
  document: 'receipt',
  signer: 'receipt',
  valid: {
    'fourteen entries': {
      schema: 'compliance-agent/receipt/v1',
      origin: ORIGIN,
      size: 14,
      root: SHA(18),
      stored_at: NOW,
      store: 'files',
      object_id: '0-13.jsonl',
      retain_until: NOW + 7 * 31_557_600,
      stored_unverified: [],
    },
    'one that Central could not verify': {
      schema: 'compliance-agent/receipt/v1',
      origin: ORIGIN,
      size: 15,
      root: SHA(19),
      stored_at: NOW,
      store: 'files',
      object_id: '14-14.jsonl',
      retain_until: NOW + 7 * 31_557_600,
      stored_unverified: [{ seq: 14, code: 'schema_invalid' }],
    },
  },
  changes: [
    ['a size with a sign', '"size":14', '"size":+14', 'json_not_strict'],
    ['a negative size', '"size":14', '"size":-14', 'schema_invalid'],
    ['a root that is too short', SHA(18), SHA(18).slice(2), 'schema_invalid'],
    ['no time', `"stored_at":${NOW},`, '', 'schema_invalid'],
  ],
};

export const ORDER_SAMPLES: readonly Sample[] = [order, authorisation, checkinRequest, checkinAnswer, receipt];
