// Proper bodies of every kind of entry, with every optional field set at least once. For tests only.
import type { EntryBody, EntryKind } from '../../agent/wire/schemas/entry.ts';
import { uuidOf } from './trust-fixtures.ts';

const digest = (pair: string): string => pair.repeat(32);
const appliance = { id: 'appliance', role: 'appliance', os_build: '26.05.20260914' };
const server = { id: 'server-1', role: 'domain_controller', os_build: '10.0.20348.2700' };
const controls = [{ map: 'hipaa-2013', cite: '164.308(a)(1)(ii)(D)' }];
const runbook = { id: 'RB-WIN-AV-001', version: 2, sha256: digest('a1') };
const orderLink = { order_digest: digest('d1'), authorisation_digest: digest('d2') };

export const BODIES: { readonly [K in EntryKind]: readonly EntryBody<K>[] } = {
  epoch: [
    { status: 'confirmed' },
    {
      ended: {
        old_origin: 'logs.northern-it.example/main-street-1/1',
        own_size: 10,
        own_root: digest('0a'),
        witnessed_size: 12,
        witnessed_root: digest('0b'),
        cause: 'rewind',
      },
      status: 'provisional',
    },
  ],
  scope: [{ expected: [{ target: 'appliance', check: 'disk', check_version: 1, cadence_s: 300 }] }],
  finding: [
    {
      target: appliance,
      check: { id: 'disk', version: 1 },
      baseline: { id: 'appliance', version: 3, sha256: digest('b1') },
      controls,
      severity: 'medium',
      result: 'fail',
      previous_result: 'pass',
      sentence: 'the state volume is 93 % full, 412 MiB free',
      remedy: 'free space, or give the volume more',
      facts: { state_used_percent: 93, state_fill: 'high', state_file_system: 'ext4', state_read_only: false },
      facts_digest: digest('f1'),
      facts_read_at: 1_780_315_200,
      waiver_id: 'w-2026-1',
    },
    {
      target: server,
      check: { id: 'firewall', version: 1 },
      baseline: { id: 'site', version: 1, sha256: digest('b2') },
      controls: [],
      severity: 'info',
      result: 'pass',
      previous_result: null,
      sentence: 'The packet filter is as declared.',
      facts: { tables_sha256: digest('f2'), input_policy: 'drop', listeners: ['tcp-any-22'] },
      facts_digest: digest('f3'),
      facts_read_at: 1_780_315_200,
    },
  ],
  action: [
    {
      phase: 'result',
      target: server,
      controls,
      outcome: 'success',
      code: 'order_interrupted',
      pre_state: { running: false, signatures: { age_days: 4 } },
      post_state: { running: true },
      actions: ['start the service of Defender', 'update signatures'],
      plan_digest: digest('c1'),
      rollback_available: true,
      runbook,
      incident_id: uuidOf(7),
      llm: { model: 'small-2.1', prompt_sha256: digest('e1'), output_sha256: digest('e2') },
      ...orderLink,
    },
  ],
  incident: [
    {
      incident_id: uuidOf(7),
      target: server,
      check: { id: 'av_edr', version: 1 },
      state: 'healing',
      sentence: 'The scanner is off since 3 runs.',
      opened_seq: 9,
      next_step_at: 1_780_315_800,
    },
  ],
  order: [
    {
      ...orderLink,
      order_id: uuidOf(1),
      order_seq: 4,
      order_kind: 'run_check',
      state: 'result',
      outcome: 'success',
      code: 'order_interrupted',
      sentence: '4 checks came to a finding.',
      result: { checks: 4, pass: 3, fail: 1, changed: 1 },
    },
    {
      order_digest: digest('d3'),
      order_id: null,
      order_seq: null,
      order_kind: null,
      state: 'refused',
      sentence: 'Refused.',
    },
  ],
  trust: [{ what: 'policy', version: 2, sha256: digest('9a'), sentence: 'The site policy is in force.' }],
  heartbeat: [
    {
      target: appliance,
      unchanged: [
        {
          check: 'disk',
          result: 'pass',
          since_seq: 2,
          facts_digest: digest('f1'),
          last_read_at: 1_780_315_200,
          runs: 12,
        },
      ],
    },
  ],
  digest: [
    {
      from_seq: 0,
      to_seq: 90,
      root: digest('0c'),
      counts: { epoch: 1, finding: 5, heartbeat: 24 },
      results: [{ target: 'appliance', check: 'disk', result: 'pass', since_seq: 2, runs: 288 }],
    },
  ],
  gap: [
    {
      reason: 'disk_full',
      sentence: 'The disk was full.',
      gap_from: 1_780_315_200,
      gap_to: 1_780_316_200,
      dropped: { heartbeat: 3 },
    },
  ],
  waiver: [
    {
      waiver_id: 'w-2026-1',
      check_id: 'disk',
      target_id: 'appliance',
      state: 'applied',
      approver: 'alice',
      expires_at: 1_780_315_200,
      policy_sha256: digest('9b'),
    },
  ],
  ticket: [
    {
      ticket_id: uuidOf(8),
      incident_id: uuidOf(7),
      state: 'opened',
      channel: 'central',
      sentence: 'The scanner stays off.',
      evidence_seqs: [9, 12],
    },
  ],
  learning: [
    {
      pattern_sha256: digest('1a'),
      state: 'candidate',
      rule: { id: 'av-off', sha256: digest('1b') },
      statistics: { seen: 12, healed: 12 },
    },
  ],
  transmission: [
    { output: 'syslog-1', what: 'incident', sha256: digest('2a'), bytes: 812, state: 'failed', code: 'connect_failed' },
  ],
  alert: [
    {
      code: 'store_full',
      state: 'raised',
      severity: 'critical',
      sentence: 'the disk under the state directory is full',
      remedy: 'free disk space; the agent then goes on by itself',
      details: { free_bytes: 0, cause: 'store_full' },
    },
  ],
};
