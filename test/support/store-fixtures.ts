// Rows for every table of the store, and a dump of everything in it. For tests only.
import Database from 'better-sqlite3';
import { join } from 'node:path';
import { DATABASE_FILE, openStore, type Store } from '../../agent/store/open-store.ts';
import { CompactRange, leafHash } from '../../agent/wire/merkle.ts';
import { registerRowSum } from '../../agent/store/row-sums.ts';

export const AT = 1_780_315_200;
export const storeClock = { wallMs: (): number => AT * 1_000 };

export const open = (dir: string, readOnly = false): Store => openStore({ dir, clock: storeClock, readOnly });

/** Appends lines to epoch 1 as the log does: leaf and compact range fit them. */
export function appendLines(store: Store, lines: readonly string[], epoch = 1): void {
  for (const line of lines) {
    const { size: seq, range } = store.entries.state(epoch);
    const leaf = leafHash(line);
    const tree = CompactRange.from(seq, range);
    tree.append(leaf);
    const kind = seq === 0 ? 'epoch' : seq % 3 === 0 ? 'heartbeat' : 'finding';
    store.entries.append({
      epoch,
      seq,
      kind,
      targetId: 'appliance',
      checkId: seq % 2 === 0 ? 'disk' : null,
      observedTo: AT + seq,
      line,
      leaf,
      range: tree.hashes(),
    });
  }
}

export const order = (n: number) => ({
  orderId: `019e0000-0000-7000-8000-${String(n).padStart(12, '0')}`,
  epoch: 1,
  seq: n,
  digest: String(n).padStart(64, 'd'),
  kind: 'run_check',
  line: `{"order":${n}}`,
  state: 'accepted' as const,
  evidenceSeq: n,
  at: AT + n,
});

export const findingState = (checkId: string) => ({
  targetId: 'appliance',
  checkId,
  result: 'pass',
  factsDigest: 'f1'.repeat(32),
  recordedDigest: 'f2'.repeat(32),
  sinceSeq: 4,
  baselineSha256: 'b1'.repeat(32),
  waiverId: null,
  severity: 'info',
  sentence: 'Every volume has at least 15 % free.',
  lastReadAt: AT,
  runs: 3,
  runsSinceHeartbeat: 2,
  lastHeartbeatAt: AT - 60,
});

export const identity = {
  applianceId: 'main-street-1',
  siteId: 'main-street',
  customerId: 'family-practice',
  partnerId: 'northern-it',
  deploymentMode: 'reseller' as const,
  resellerId: 'northern-it',
  origin: 'logs.northern-it.example/main-street-1/1',
  epoch: 1,
  bindingLine: '{"binding":1}',
  certificatePem: 'certificate',
  centralUrl: 'https://central.example',
  caPem: 'ca',
  caPins: ['aa'.repeat(32), 'bb'.repeat(32)],
};

/** Puts something into every table. */
export function fill(store: Store, lines = 12, lineLength = 660): void {
  const { origin } = identity;
  appendLines(
    store,
    Array.from({ length: lines }, (_, i) => `{"entry":${i},"text":"`.padEnd(lineLength, 'abcdefgh')),
  );
  for (const n of [1, 2, 3]) store.orders.insert(order(n));
  store.orders.setState(order(1).orderId, { state: 'result', outcome: 'success', evidenceSeq: 3, at: AT + 9 });
  store.orders.raiseFloor(1, 3);
  const refused = { code: 'order_expired', outcome: 'expired' as const, orderId: null, sentence: 'Too late.' };
  store.orders.recordRefusal({ digest: 'ee'.repeat(32), ...refused, evidenceSeq: 5, at: AT });
  store.orders.useAuthorisation('019e0000-0000-7000-8000-0000000000a1', 'd'.repeat(64), AT);
  for (const check of ['clock', 'disk', 'firewall', 'self']) store.findings.put(findingState(check));
  store.trust.addRoot({ version: 1, digest: 'r'.repeat(64), line: `{"root":"${'key '.repeat(200)}"}` });
  store.trust.putDocument({ kind: 'policy', version: 1, digest: 'p'.repeat(64), line: '{"policy":1}', at: AT });
  store.trust.saveIdentity(identity);
  store.trust.saveSignedTime({ serverTime: AT, bootMs: 1_234.5, bootId: '00000000-0000-4000-8000-000000000001' });
  store.uplink.nextCounter();
  store.uplink.setPointer(origin, 7);
  store.uplink.saveReceipt({ origin, size: 7, root: '0a'.repeat(32), line: '{"receipt":7}', at: AT });
  store.checkpoints.save({ origin, size: 7, root: '0a'.repeat(32), note: 'a note\n', at: AT });
  store.tiles.put(1, 0, 0, Buffer.alloc(8_192, 7));
  store.timestamps.save({ origin, size: 7, root: '0a'.repeat(32), response: Buffer.from('a reply'), at: AT });
  const runId = '019e0000-0000-7000-8000-0000000000b1';
  const run = { targetId: 'srv-1', runbookId: 'RB-WIN-AV-001', runbookVersion: 1, runbookSha256: 'ab'.repeat(32) };
  store.runs.begin({ ...run, runId, action: 'remediate', snapshot: '{}', detail: '{}', at: AT });
  store.runs.end(runId, 'success', AT + 60);
  store.targetIdentities.pin('srv-1', 'S-1-5-21-1-2-3', AT);
  store.targetIdentities.noteOther('srv-1', 'S-1-5-21-4-5-6', AT + 60);
  const incidentId = '019e0000-0000-7000-8000-0000000000c1';
  const times = { openedAt: AT, changedAt: AT, nextStepAt: null };
  const condition = { targetId: 'srv-1', checkId: 'windows_av', condition: 'av-off' };
  const story = [{ at: AT, what: 'seen', sentence: 'Protection is off.', evidenceSeq: 3 }];
  store.incidents.put({ incidentId, ...condition, state: 'seen', severity: 'high', ...times, detail: '{}' }, story);
  const call = {
    findingKey: '0f'.repeat(32),
    endpoint: 'local',
    model: 'small-2',
    state: 'ended' as const,
    code: null,
  };
  const cost = { tokens: 900, microCents: 0, retryAt: null, promptSha256: '0e'.repeat(32), outputSha256: null };
  store.planner.put(
    { callId: '019e0000-0000-7000-8000-0000000000d1', ...call, ...cost, plan: '{}', at: AT },
    { prompt: '{}', answer: '{}' },
  );
  const pattern = { patternSha256: '0d'.repeat(32), platform: 'windows', checkId: 'windows_av', shape: '{}' };
  const unresolved = {
    tier: null,
    runbookId: null,
    runbookSha256: null,
    params: null,
    verified: null,
    durationMs: null,
  };
  store.learning.add(
    { ...pattern, firstAt: AT },
    { caseKey: 'a', patternSha256: pattern.patternSha256, kind: 'occurrence', incidentId, ...unresolved, at: AT },
  );
  const delivery = { eventId: 'a-1', outputId: 'mail', ticketId: 'a', event: '{}', queuedAt: AT };
  store.tickets.put({ id: 'a', key: 'finding/appliance/disk', json: '{}' }, [delivery]);
  store.tickets.settle({ ...delivery, state: 'sent', attempts: 1, nextAt: AT, failure: null, reference: '17.1' });
  store.prunes.advance(1, { to: 1, keep: [], receiptSize: 7, checkpointSize: 7, at: AT });
  store.uplink.park(origin, { code: 'http_refused', sentence: 'Refused.', until: AT + 300, tries: 1 });
  store.uplink.addBytes(1_000, 2_000, 20_000);
  store.settings.set('evidence.scope', '{"digest":"x","at":1}');
}

/** Direct access to the file, with the sum function registered, past every guard of the store. */
export function withRaw<T>(dir: string, fn: (raw: Database.Database) => T): T {
  const raw = new Database(join(dir, DATABASE_FILE));
  try {
    registerRowSum(raw);
    return fn(raw);
  } finally {
    raw.close();
  }
}

/** All rows of all tables except the time of the last opening. */
export function dump(dir: string): string {
  return withRaw(dir, (raw) => {
    const tables = raw
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
      .pluck()
      .all() as string[];
    // The row of the last opening is written anew by each start, wherever it stood before.
    const rows = (table: string): unknown[] =>
      (raw.prepare(`SELECT * FROM ${table} ORDER BY rowid`).all() as { key?: unknown }[]).filter(
        (row) => row.key !== 'opened_at',
      );
    return JSON.stringify(tables.map((table) => [table, rows(table)]));
  });
}
