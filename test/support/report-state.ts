// A state directory with two eventful days in it, as the real recorder writes them: changes, heartbeats, five hours of silence, a
// gap, alerts, a refused order, a receipt and a cosigned checkpoint. For tests only.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHECKS } from '../../agent/checks/registry.ts';
import { createRecorder } from '../../agent/evidence/recorder.ts';
import { encodeCheckpoint, signCheckpoint } from '../../agent/wire/checkpoint.ts';
import { cosign } from '../../agent/wire/cosignature.ts';
import { encodeNote, parseNote } from '../../agent/wire/note.ts';
import type { Finding } from '../../agent/wire/schemas/finding.ts';
import { bindingLine, finding, openLog, trust } from './evidence-fixtures.ts';
import { identity } from './store-fixtures.ts';
import { NOW } from './trust-fixtures.ts';

export interface ReportState {
  readonly dir: string;
  readonly size: number;
  readonly origin: string;
  /** Unix seconds: when the appliance went silent, and when it came back. */
  readonly silentFrom: number;
  readonly silentTo: number;
  readonly witnessed: number;
  readonly stored: number;
}

const CADENCE_S = 300;
const HOURS = 48;
const SILENT = { from: 20, to: 25 };
const BASELINE_SHA256 = 'b1'.repeat(32);

/** Makes the directory; the caller removes it. `hours` of a life in which hour 20 to 25 are silent. */
export function makeReportState(hours = HOURS): ReportState {
  const dir = mkdtempSync(join(tmpdir(), 'report-'));
  const { store, log, clock } = openLog(dir);
  const recorder = createRecorder({ store, log, clock });
  const ids = CHECKS.map((check) => check.id);
  recorder.setScope(ids.map((check) => ({ target: 'appliance', check, check_version: 1, cadence_s: CADENCE_S })));
  const at = (hour: number): number => NOW + hour * 3_600;
  let anchored = { witnessed: 0, stored: 0 };
  for (let now = NOW; now < at(hours); now += CADENCE_S) {
    if (now >= at(SILENT.from) && now < at(SILENT.to)) continue;
    clock.setWall(now * 1_000);
    recorder.recordFindings(ids.map((check) => findingAt(check, now, (now - NOW) / 3_600)));
    recorder.upkeep(now);
    if (now === at(6)) recorder.raise('disk_full', { severity: 'high' });
    if (now === at(7)) recorder.clear('disk_full');
    if (now === at(26)) recorder.raise('evidence_gap', { severity: 'medium' });
    if (now === at(8)) {
      log.append('gap', {
        reason: 'disk_full',
        sentence: 'Heartbeats could not be written.',
        gap_from: at(6),
        gap_to: at(7),
        dropped: { heartbeat: 9 },
      });
    }
    if (now === at(9)) {
      log.append('order', {
        order_digest: 'ee'.repeat(32),
        order_id: null,
        order_seq: null,
        order_kind: 'restart_agent',
        state: 'refused',
        outcome: 'rejected',
        code: 'order_threshold',
        sentence: 'Too few people signed the order.',
      });
    }
    if (now === at(10)) {
      log.append('trust', {
        what: 'policy',
        version: 4,
        sha256: 'cd'.repeat(32),
        sentence: 'Site policy 4 is in force.',
      });
    }
    if (now === at(40)) {
      const [size, root] = [log.size(), log.root()];
      const text = encodeCheckpoint({ origin: log.origin, size, root: Buffer.from(root, 'hex'), extensions: [] });
      const own = parseNote(
        signCheckpoint(
          { origin: log.origin, size, root: Buffer.from(root, 'hex'), extensions: [] },
          trust.keys['device']!,
        ),
      );
      const cosignature = cosign(text, trust.root.root.witness_name, trust.keys['witness']!, now);
      const note = encodeNote({ text, signatures: [...own.signatures, cosignature] });
      store.checkpoints.save({ origin: log.origin, size, root, note, at: now });
      const line = trust.sign('receipt', {
        schema: 'compliance-agent/receipt/v1',
        origin: log.origin,
        size,
        root,
        stored_at: now,
        store: 'file',
        object_id: `evidence/0-${size - 1}.jsonl`,
        retain_until: now + 7 * 31_536_000,
        stored_unverified: [],
      });
      store.uplink.saveReceipt({ origin: log.origin, size, root, line, at: now });
      anchored = { witnessed: size, stored: size };
    }
  }
  store.trust.addRoot({ version: 1, digest: trust.root.digest, line: trust.root.line });
  store.trust.saveIdentity({ ...identity, origin: log.origin, bindingLine: bindingLine() });
  const state = { dir, size: log.size(), origin: log.origin, ...anchored };
  store.close();
  return { ...state, silentFrom: at(SILENT.from) - CADENCE_S, silentTo: at(SILENT.to) };
}

interface Story {
  readonly result: Finding['result'];
  readonly sentence: string;
  readonly remedy?: string;
  readonly severity?: Finding['severity'];
}

const PASS: Readonly<Record<string, string>> = {
  clock: 'The clock is within 5 s of signed time.',
  disk: 'Every volume has at least 15 % free.',
  firewall: 'The firewall is active and drops what is not allowed.',
  self: 'The agent listens on nothing and its files are as built.',
};

function story(check: string, hour: number): Story {
  if (check === 'firewall' && hour >= 12 && hour < 14) {
    return {
      result: 'fail',
      severity: 'high',
      sentence: 'The firewall is not active.',
      remedy: 'start nftables.service',
    };
  }
  if (check === 'disk' && hour >= 30) {
    return {
      result: 'fail',
      severity: 'medium',
      sentence: 'A volume has less than 15 % free.',
      remedy: 'free some space',
    };
  }
  if (check === 'backup') return { result: 'unknown', sentence: 'The state of the backup could not be read.' };
  if (check === 'encryption') return { result: 'waived', sentence: 'The disk is not encrypted.', severity: 'high' };
  if (check === 'patching') return { result: 'not_applicable', sentence: 'No updates are managed here.' };
  return { result: 'pass', sentence: PASS[check] ?? 'Everything is as the baseline says.' };
}

function findingAt(check: string, now: number, hour: number): Finding {
  const told = story(check, hour);
  const facts = check === 'disk' ? { state_used_percent: told.result === 'fail' ? 93 : 61 } : {};
  return finding({
    check: { id: check, version: 1 },
    baseline: { id: 'appliance', version: 1, sha256: BASELINE_SHA256 },
    controls:
      check === 'firewall'
        ? [
            { map: 'hipaa-2013', cite: '164.312(e)(1)' },
            { map: 'hipaa-2013', cite: '164.312(a)(1)' },
          ]
        : [{ map: 'hipaa-2013', cite: '164.312(b)' }],
    severity: told.severity ?? 'info',
    result: told.result,
    sentence: told.sentence,
    ...(told.remedy === undefined ? {} : { remedy: told.remedy }),
    ...(told.result === 'waived' ? { waiver_id: 'w-1' } : {}),
    facts,
    // The digest decides what is a change: the same facts, the same digest.
    facts_digest: Buffer.from(`${check} ${told.result}`.padEnd(32).slice(0, 32)).toString('hex'),
    facts_read_at: now,
    observed_from: now,
    observed_to: now,
  });
}
