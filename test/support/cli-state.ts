// A state directory as a daemon leaves it: a log that verifies, orders, refusals, receipts, a status. For tests only.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentStatus } from '../../agent/system/status-file.ts';
import { logTree } from '../../agent/evidence/log-tree.ts';
import { signCheckpoint } from '../../agent/wire/checkpoint.ts';
import { cosign } from '../../agent/wire/cosignature.ts';
import { encodeNote, parseNote } from '../../agent/wire/note.ts';
import { bindingLine, finding, openLog, trust } from './evidence-fixtures.ts';
import { identity, order } from './store-fixtures.ts';
import { NOW } from './trust-fixtures.ts';

export { trust };
export const ROOT_SHA256 = trust.root.digest;

export interface CliState {
  readonly dir: string;
  readonly config: string;
  readonly origin: string;
  readonly size: number;
  /** Every line with its LF, as `evidence list --lines` writes them. */
  readonly lines: string;
  /** Signed for the whole log. */
  readonly receipt: string;
  /** Cosigned, of the log without its last entry. */
  readonly checkpoint: string;
}

/** Makes the directory; the caller removes it. */
export function makeCliState(): CliState {
  const dir = mkdtempSync(join(tmpdir(), 'cli-'));
  const { store, log } = openLog(dir);
  const { target, check, ...rest } = finding();
  const { observed_from: from, observed_to: to, ...body } = { target, check, ...rest, previous_result: null };
  log.append('finding', body, { observedFrom: from, observedTo: to });
  log.append('finding', { ...body, result: 'fail', previous_result: 'pass' }, { observedFrom: from, observedTo: to });
  log.append('order', {
    order_digest: 'ee'.repeat(32),
    order_id: null,
    order_seq: null,
    order_kind: null,
    state: 'refused',
    outcome: 'expired',
    code: 'order_expired',
    sentence: 'The order is too old.',
  });
  store.trust.addRoot({ version: 1, digest: trust.root.digest, line: trust.root.line });
  store.trust.saveIdentity({ ...identity, origin: log.origin, bindingLine: bindingLine() });
  store.orders.insert(order(1));
  store.orders.setState(order(1).orderId, { state: 'result', outcome: 'success', evidenceSeq: 3, at: NOW + 9 });
  store.orders.recordRefusal({
    digest: 'ee'.repeat(32),
    code: 'order_expired',
    outcome: 'expired',
    orderId: null,
    sentence: 'The order is too old.',
    evidenceSeq: 3,
    at: NOW + 5,
  });
  const receipt = trust.sign('receipt', {
    schema: 'compliance-agent/receipt/v1',
    origin: log.origin,
    size: log.size(),
    root: log.root(),
    stored_at: NOW + 20,
    store: 'file',
    object_id: 'evidence/0-3.jsonl',
    retain_until: NOW + 7 * 31_536_000,
    stored_unverified: [],
  });
  store.uplink.saveReceipt({ origin: log.origin, size: log.size(), root: log.root(), line: receipt, at: NOW + 20 });
  store.uplink.setPointer(log.origin, 2);
  const size = log.size() - 1;
  const checkpoint = cosignedAt(logTree(store, 1).rootAt(size), size, log.origin);
  store.checkpoints.save({ origin: log.origin, size, root: logTree(store, 1).rootAt(size), note: checkpoint, at: NOW });
  const rows = store.entries.range(1, 0, { maxEntries: 1_000, maxBytes: 1e9 });
  const state = { origin: log.origin, size: log.size(), lines: rows.map((row) => `${row.line}\n`).join('') };
  store.close();
  const config = join(dir, 'config.yaml');
  writeFileSync(config, `mode: direct\nstate_dir: ${dir}\nprovision_dir: ${dir}/provision\n`);
  return { dir, config, receipt, checkpoint, ...state };
}

function cosignedAt(root: string, size: number, origin: string): string {
  const own = signCheckpoint({ origin, size, root: Buffer.from(root, 'hex'), extensions: [] }, trust.keys['device']!);
  const { text, signatures } = parseNote(own);
  const line = cosign(text, trust.root.root.witness_name, trust.keys['witness']!, NOW);
  return encodeNote({ text, signatures: [...signatures, line] });
}

/** A status that this very process could have written just now. */
export function agentStatus(partial: Partial<AgentStatus> = {}): AgentStatus {
  return {
    schema: 'compliance-agent/status/v1',
    written_at: NOW - 2,
    started_at: NOW - 7_200,
    pid: process.pid,
    agent_version: '0.1.0',
    state: 'enrolled',
    blocking_reason: null,
    last_blocking_reason: null,
    mode: 'reseller',
    partner_id: 'northern-it',
    site_id: 'main-street',
    appliance_id: 'main-street-1',
    fingerprint: 'ABCDEFGH23456789',
    central_url: 'https://central.example',
    last_answer_at: NOW - 30,
    clock_offset_s: 0,
    bytes: { sent: 10, received: 20 },
    log: { origin: 'logs.northern-it.example/main-street-1/1', size: 12, root: 'ab'.repeat(32) },
    epoch: null,
    stored_size: 9,
    pruned_below: 0,
    witnessed: { size: 10, at: NOW - 30 },
    timestamped: null,
    queue: { entries: 3, bytes: 4_096 },
    upload_parked: null,
    root_version: 1,
    content_version: 2,
    policy_version: null,
    healing_paused_until: null,
    healing: null,
    findings: [
      { check: 'disk', target: 'appliance', result: 'pass', sentence: 'Enough room.', read_at: NOW - 60 },
      { check: 'clock', target: 'appliance', result: 'unknown', sentence: 'No tool.', read_at: NOW - 60 },
    ],
    targets: [],
    stages: [
      {
        name: 'checkin',
        running: false,
        last_started_at: NOW - 31,
        last_finished_at: NOW - 30,
        last_error: null,
        failures_in_a_row: 0,
        next_in_s: 30,
        cpu_ms: 0,
        grown_bytes: 0,
      },
    ],
    device_key: 'file',
    warnings: [],
    ...partial,
  };
}
