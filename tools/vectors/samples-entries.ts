// A valid evidence entry of every kind, with changes that make them invalid.
import type { EntryKind } from '../../agent/wire/schemas/entry.ts';
import type { Sample } from './sample.ts';
import { BINDING, EMBEDDED_BINDING, ORIGIN } from './samples-enrolment.ts';
import { NOW, SHA } from './samples-trust.ts';

const uuid = (n: number): string => `019e0000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
const APPLIANCE = { id: 'appliance', role: 'appliance', os_build: null };
const CHECK = { id: 'disk', version: 1 };
const CONTROL = { map: 'hipaa-2013', cite: '164.312(b)' };

/** A statement around `body`; `seq` and `prev` place it in its log. */
export function statement(kind: EntryKind, body: object, seq = 1, prev = SHA(20)): object {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'entry', digest: { sha256: SHA(21) } }],
    predicateType: 'https://compliance-agent.example/evidence/v1',
    predicate: {
      schema: 'compliance-agent/evidence/v1',
      origin: ORIGIN,
      seq,
      prev,
      bundle_id: uuid(seq + 1),
      partner_id: BINDING.partner_id,
      customer_id: BINDING.customer_id,
      site_id: BINDING.site_id,
      appliance_id: BINDING.appliance_id,
      deployment_mode: 'reseller',
      reseller_id: BINDING.reseller_id,
      agent_version: '0.1.0',
      nixos_revision: null,
      derivation_digest: null,
      observed_from: NOW + seq - 1,
      observed_to: NOW + seq,
      clock: { source: 'central', synchronized: true, skew_ms: 12, boot_id: '3f2b0c1e-0000-4000-8000-000000000001' },
      root_version: 3,
      policy_version: 4,
      ruleset_digest: SHA(22),
      redaction: { policy_digest: SHA(23), counts: { hostname: 1 } },
      kind,
      ...body,
    },
  };
}

export const EPOCH_BODY = { binding: EMBEDDED_BINDING, status: 'confirmed' };
export const FINDING_BODY = {
  target: APPLIANCE,
  check: CHECK,
  baseline: { id: 'appliance', version: 1, sha256: SHA(7) },
  controls: [CONTROL],
  severity: 'high',
  result: 'fail',
  previous_result: 'pass',
  sentence: 'the root file system has 3 % free',
  remedy: 'free some space',
  facts: { free_percent: 3, mounts: ['/'], noted: null },
  facts_digest: SHA(24),
  facts_read_at: NOW,
};
export const ALERT_BODY = {
  code: 'disk_low',
  state: 'raised',
  severity: 'medium',
  sentence: 'less than 15 % of the disk is free',
  remedy: 'free some space',
  details: { free_percent: 3 },
};

const bodies: Readonly<Record<EntryKind, object>> = {
  finding: FINDING_BODY,
  epoch: EPOCH_BODY,
  scope: { expected: [{ target: 'appliance', check: 'disk', check_version: 1, cadence_s: 300 }] },
  action: {
    phase: 'result',
    target: APPLIANCE,
    controls: [CONTROL],
    outcome: 'success',
    pre_state: { active: false },
    post_state: { active: true },
    actions: ['start nftables.service'],
    plan_digest: SHA(25),
    rollback_available: true,
    runbook: { id: 'RB-LIN-FW-001', version: 2, sha256: SHA(6) },
    incident_id: uuid(30),
    order_digest: SHA(26),
  },
  incident: {
    incident_id: uuid(30),
    target: APPLIANCE,
    check: CHECK,
    state: 'opened',
    sentence: 'the firewall is off',
    opened_seq: null,
    next_step_at: NOW + 60,
  },
  order: {
    order_digest: SHA(26),
    order_id: uuid(1),
    order_seq: 7,
    order_kind: 'run_check',
    state: 'result',
    outcome: 'success',
    sentence: 'two checks ran',
    result: { pass: 1, fail: 1 },
  },
  trust: { what: 'content', version: 12, sha256: SHA(17), sentence: 'content list 12 is in force' },
  heartbeat: {
    target: APPLIANCE,
    unchanged: [{ check: 'disk', result: 'pass', since_seq: 0, facts_digest: SHA(24), last_read_at: NOW, runs: 12 }],
  },
  digest: {
    from_seq: 0,
    to_seq: 1,
    root: SHA(27),
    counts: { epoch: 1 },
    results: [{ target: 'appliance', check: 'disk', result: 'pass', since_seq: 0, runs: 288 }],
  },
  gap: {
    reason: 'disk_full',
    sentence: 'heartbeats were not written',
    gap_from: NOW - 3_600,
    gap_to: NOW,
    dropped: { heartbeat: 4 },
  },
  waiver: {
    waiver_id: 'w-1',
    check_id: 'disk',
    target_id: 'appliance',
    state: 'applied',
    approver: 'alice',
    expires_at: NOW + 86_400,
    policy_sha256: SHA(28),
  },
  ticket: {
    ticket_id: uuid(31),
    incident_id: uuid(30),
    state: 'opened',
    channel: 'email',
    sentence: 'the firewall is off',
    evidence_seqs: [1],
  },
  learning: {
    pattern_sha256: SHA(29),
    state: 'candidate',
    rule: { id: 'fw-off', sha256: SHA(8) },
    statistics: { successes: 5 },
  },
  transmission: { output: 'siem', what: 'alert', sha256: SHA(30), bytes: 812, state: 'delivered' },
  alert: ALERT_BODY,
};

export const ENTRY_SAMPLE: Sample = {
  document: 'entry',
  signer: 'device',
  valid: Object.fromEntries(
    Object.entries(bodies).map(([kind, body]) => [`kind ${kind}`, statement(kind as EntryKind, body)]),
  ),
  changes: [
    ['a result that does not exist', '"result":"fail"', '"result":"failed"', 'schema_invalid'],
    ['a kind that does not exist', '"kind":"finding"', '"kind":"opinion"', 'schema_invalid'],
    ['the fields of another kind', '"kind":"finding"', '"kind":"alert"', 'schema_invalid'],
    ['no subject', `{"name":"entry","digest":{"sha256":"${SHA(21)}"}}`, '', 'schema_invalid'],
    ['a subject with a second digest', `"sha256":"${SHA(21)}"`, `"sha256":"${SHA(21)}","md5":"00"`, 'schema_invalid'],
    ['another predicate', '/evidence/v1","predicate"', '/evidence/v2","predicate"', 'schema_invalid'],
    ['an unknown field of the predicate', '"seq":1', '"seq":1,"note":"x"', 'schema_invalid'],
    ['a prev that is too short', SHA(20), SHA(20).slice(2), 'schema_invalid'],
    ['a negative seq', '"seq":1', '"seq":-1', 'schema_invalid'],
    ['a fact with a fraction', '"free_percent":3', '"free_percent":3.2', 'json_not_strict'],
    ['a fact that stands twice', '"free_percent":3', '"free_percent":4,"free_percent":3', 'json_not_strict'],
    ['a fact whose name is made of digits', '"free_percent":3', '"3":3', 'json_not_strict'],
    ['a sentence with a control character', '3 % free', '3 %\\u0007 free', 'schema_invalid'],
    ['a sentence with a needless escape', '3 % free', '3 \\u0025 free', 'json_not_strict'],
    ['a cite without its map', '"map":"hipaa-2013",', '', 'schema_invalid'],
    ['a line over 65,535 bytes', '3 % free', `3 % free${'e'.repeat(50_000)}`, 'json_too_large'],
  ],
};
