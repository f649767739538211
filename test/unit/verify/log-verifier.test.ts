import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLogVerifier, type LogVerdict, type LogVerifierOptions } from '../../../agent/verify/log-verifier.ts';
import { verifyReceipt } from '../../../agent/verify/verify-receipt.ts';
import { sha256Hex } from '../../../agent/wire/digest.ts';
import { encodeDocument } from '../../../agent/wire/document.ts';
import type { Receipt } from '../../../agent/wire/schemas/checkin.ts';
import { alertBody, makeAlertLog, makeLog, TARGET, type SampleLog } from '../../support/sample-log.ts';
import { makeTrust, NOW, signerFrom, type Trust } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const stranger = makeTrust({ seed: 'stranger' });
const SIZE = 6;

function verify(lines: readonly string[], o: Partial<LogVerifierOptions> = {}): LogVerdict {
  const verifier = createLogVerifier({ root: trust.root.root, ...o });
  for (const line of lines) verifier.push(line);
  return verifier.finish();
}

function receipt(log: SampleLog, size: number, partial: Partial<Receipt> = {}): string {
  return trust.sign('receipt', {
    schema: 'compliance-agent/receipt/v1',
    origin: log.binding.origin,
    size,
    root: log.rootAt(size),
    stored_at: NOW,
    store: 'files',
    object_id: `0-${size}.jsonl`,
    retain_until: NOW + 7 * 31_557_600,
    stored_unverified: [],
    ...partial,
  });
}

function replaceAt(lines: readonly string[], index: number, line: string): string[] {
  return lines.map((old, i) => (i === index ? line : old));
}

describe('a log that nobody touched', () => {
  it('verifies and is summed up', () => {
    const log = makeAlertLog(trust, 3);
    log.add('finding', {
      target: TARGET,
      check: { id: 'disk', version: 1 },
      baseline: { id: 'appliance', version: 1, sha256: 'b1'.repeat(32) },
      controls: [],
      severity: 'high',
      result: 'fail',
      previous_result: null,
      sentence: 'the disk is nearly full',
      facts: { free_percent: 3 },
      facts_digest: 'fa'.repeat(32),
      facts_read_at: NOW,
    });
    log.add('order', {
      order_digest: '0d'.repeat(32),
      order_id: null,
      order_seq: null,
      order_kind: null,
      state: 'refused',
      outcome: 'rejected',
      code: 'constructor',
      sentence: 'an order was refused',
    });
    const verdict = verify(log.lines, { now: NOW + 60 });
    expect(verdict).toEqual({
      ok: true,
      code: null,
      seq: null,
      sentence: 'all 6 entries verify',
      origin: log.binding.origin,
      status: 'confirmed',
      size: 6,
      root: log.rootAt(6),
      leftOut: 0,
      counts: { epoch: 1, alert: 3, finding: 1, order: 1 },
      results: { fail: 1 },
      refusals: { constructor: 1 },
      firstAt: NOW,
      lastAt: NOW + 5,
      odd: { backwards: 0, future: 0 },
      receipts: 0,
      checkpoints: 0,
      timestamps: 0,
      anchors: 0,
      witnessed: null,
      ranges: [{ from_seq: 0, to_seq: 6, range: 'unanchored', by: [] }],
    });
  });

  it('verifies with the second implementation too', () => {
    expect(verify(makeAlertLog(trust, 2).lines, { secondOpinion: true }).ok).toBe(true);
  });

  it('verifies under an earlier root when its registrar was replaced since', () => {
    const log = makeAlertLog(trust, 1);
    const later = makeTrust({
      change: (root) => {
        root.version = 2;
        const other = signerFrom('a later registrar');
        const [old] = root.roles.registrar.keyids;
        root.keys = root.keys.map((key) =>
          key.keyid === old ? { keyid: other.keyid, spki: other.spki, person: 'central' } : key,
        );
        root.roles.registrar.keyids = [other.keyid];
      },
    });
    expect(verify(log.lines, { root: later.root.root })).toMatchObject({ ok: false, code: 'entry_unbound', seq: 0 });
    expect(verify(log.lines, { root: later.root.root, earlierRoots: [trust.root.root] }).ok).toBe(true);
  });

  it('is provisional until as many people as the root asks for have confirmed it; the registrar alone cannot', () => {
    const log = makeLog(trust, { binding: { status: 'provisional' } });
    expect(verify(log.lines).status).toBe('provisional');
    const { origin, partner_id, site_id, appliance_id } = log.binding;
    const confirmation = trust.embed('epochConfirmation', {
      schema: 'compliance-agent/epoch-confirmation/v1',
      partner_id,
      site_id,
      appliance_id,
      origin,
      binding_sha256: sha256Hex(encodeDocument('binding', log.binding)),
      issued_at: NOW,
    });
    log.add('epoch', { status: 'confirmed', confirmation });
    expect(verify(log.lines)).toMatchObject({ ok: true, status: 'confirmed' });

    const alone = makeLog(trust, { binding: { status: 'provisional' } });
    alone.add('epoch', {
      status: 'confirmed',
      binding: trust.embed('binding', { ...log.binding, status: 'confirmed' }),
    });
    expect(verify(alone.lines)).toMatchObject({ ok: false, code: 'entry_unbound', seq: 1, status: 'provisional' });
  });

  it('is not confirmed by operators who had been replaced when the epoch began, whatever date they write', () => {
    const DAY_S = 86_400;
    const replacedAt = (issued_at: number) =>
      makeTrust({
        change(root) {
          root.version = 2;
          root.issued_at = issued_at;
          const other = ['a', 'b'].map((name) => signerFrom(`a later operator ${name}`));
          const old = new Set(root.roles.operator.keyids);
          const persons = root.keys.filter(({ keyid }) => old.has(keyid)).map(({ person }) => person);
          root.keys = root.keys.filter(({ keyid }) => !old.has(keyid));
          other.forEach(({ keyid, spki }, i) => root.keys.push({ keyid, spki, person: persons[i]! }));
          root.roles.operator.keyids = other.map(({ keyid }) => keyid);
        },
      }).root.root;
    const log = makeLog(trust, { binding: { status: 'provisional' } });
    const { origin, partner_id, site_id, appliance_id } = log.binding;
    const confirmation = trust.embed('epochConfirmation', {
      schema: 'compliance-agent/epoch-confirmation/v1',
      partner_id,
      site_id,
      appliance_id,
      origin,
      binding_sha256: sha256Hex(encodeDocument('binding', log.binding)),
      issued_at: log.binding.issued_at - 100 * DAY_S,
    });
    log.add('epoch', { status: 'confirmed', confirmation });
    const under = (issuedAt: number) =>
      verify(log.lines, { root: replacedAt(issuedAt), earlierRoots: [trust.root.root] });
    const bound = log.binding.issued_at;
    expect(under(bound - 14 * DAY_S)).toMatchObject({ ok: true, status: 'confirmed' });
    expect(under(bound - 14 * DAY_S - 1)).toMatchObject({
      ok: false,
      code: 'epoch_unconfirmed',
      status: 'provisional',
    });
  });

  it('keeps entries whose clock was wrong and counts them', () => {
    const log = makeAlertLog(trust, 1);
    log.add('alert', alertBody(2), ({ predicate }) => {
      predicate.observed_from = predicate.observed_to = NOW + 94_608_000;
    });
    log.add('alert', alertBody(3));
    expect(verify(log.lines, { now: NOW + 60 })).toMatchObject({ ok: true, odd: { backwards: 1, future: 1 } });
  });
});

describe('a log beside its receipts', () => {
  const open = (line: string) => verifyReceipt(trust.root.root, line);

  it('fulfils receipts at every size it had', () => {
    const log = makeAlertLog(trust, SIZE);
    const receipts = [1, 4, 4, 7].map((size) => open(receipt(log, size)));
    expect(verify(log.lines, { receipts })).toMatchObject({ ok: true, receipts: 4 });
  });

  it('is found cut off at its end', () => {
    const log = makeAlertLog(trust, SIZE);
    const receipts = [open(receipt(log, 7))];
    expect(verify(log.lines.slice(0, 5), { receipts })).toMatchObject({ ok: false, code: 'log_truncated', seq: 5 });
  });

  it('is found rewritten by the holder of its key', () => {
    const log = makeAlertLog(trust, SIZE);
    const receipts = [open(receipt(log, 5))];
    const rewritten = makeAlertLog(trust, 2);
    for (let n = 3; n <= SIZE; n++) rewritten.add('alert', alertBody(n + 100));
    expect(verify(rewritten.lines).ok).toBe(true);
    expect(verify(rewritten.lines, { receipts })).toMatchObject({ ok: false, code: 'log_root_mismatch', seq: 4 });
  });

  it('is not helped by receipts for another log', () => {
    const log = makeAlertLog(trust, SIZE);
    const receipts = [open(receipt(log, 3, { origin: 'logs.northern-it.example/other/1' }))];
    expect(verify(log.lines, { receipts })).toMatchObject({ ok: false, code: 'receipt_mismatch' });
  });
});

describe('a verifier', () => {
  it('never throws, whatever line it is given', () => {
    const log = makeAlertLog(trust, 2);
    const junk = ['', '{}', '[]', 'null', '\ud800', '{"payload":1,"payloadType":2,"signatures":3}', 'x'.repeat(70_000)];
    for (const line of junk) {
      expect(verify([line])).toMatchObject({ ok: false, seq: 0 });
      expect(verify([...log.lines, line])).toMatchObject({ ok: false, seq: 3, size: 3 });
    }
  });

  it('refuses the log of a trust root that it was not given', () => {
    const lines = makeAlertLog(trust, 1).lines;
    const under = (t: Trust): LogVerdict => verify(lines, { root: t.root.root });
    expect(under(trust).ok).toBe(true);
    expect(under(stranger)).toMatchObject({ ok: false, code: 'entry_unbound', seq: 0 });
  });
});

describe('a log that chance changed', () => {
  const { lines } = makeAlertLog(trust, 4);
  const place = fc.record({ line: fc.nat(lines.length - 1), at: fc.nat(), byte: fc.integer({ min: 0x20, max: 0x7e }) });

  it('never verifies with a byte of any line replaced, added or removed', () => {
    fc.assert(
      fc.property(place, fc.constantFrom('replace', 'add', 'remove'), ({ line, at, byte }, how) => {
        const old = lines[line]!;
        const i = at % old.length;
        const middle = how === 'remove' ? '' : String.fromCharCode(byte);
        const changed = old.slice(0, i) + middle + old.slice(how === 'add' ? i : i + 1);
        if (changed === old) return;
        expect(verify(replaceAt(lines, line, changed))).toMatchObject({ ok: false, seq: line });
      }),
      { numRuns: 300 },
    );
  });

  it('verifies in no other selection or order of its lines than its own beginnings', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(lines.length - 1), { minLength: 1, maxLength: 6 }), (order) => {
        const beginning = order.every((n, i) => n === i);
        expect(verify(order.map((n) => lines[n]!)).ok).toBe(beginning);
      }),
      { numRuns: 300, examples: [[[0]], [[0, 1]], [[0, 1, 2, 3, 4]], [[0, 1, 1]], [[1, 0]]] },
    );
  });
});
