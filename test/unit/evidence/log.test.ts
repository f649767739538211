import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEvidenceLog } from '../../../agent/evidence/log.ts';
import { POLICY_DIGEST } from '../../../agent/evidence/scrub.ts';
import { openBinding } from '../../../agent/trust/binding.ts';
import { sha256Hex } from '../../../agent/wire/digest.ts';
import { parseEnvelope, toEmbedded } from '../../../agent/wire/dsse.ts';
import { leafHash, rootOfLeaves } from '../../../agent/wire/merkle.ts';
import { MAX_ENTRY_BYTES } from '../../../agent/wire/schemas/entry.ts';
import {
  ENTRY_CONTEXT,
  finding,
  linesOf,
  openLog,
  statementIn,
  statementsOf,
  trust,
  verdictOn,
  withDir,
  withLog,
} from '../../support/evidence-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';
import { fakeIds } from '../../support/fakes/fake-ids.ts';
import { withRaw } from '../../support/store-fixtures.ts';
import { signerFrom, uuidOf } from '../../support/trust-fixtures.ts';

const alert = (code = 'store_full') =>
  ({
    code,
    state: 'raised',
    severity: 'high',
    sentence: 'The disk is full.',
    remedy: 'Free space.',
    details: {},
  }) as const;

const findingBody = (facts: Record<string, number> = { state_used_percent: 61 }, id = 'disk') => {
  const { observed_from: _from, observed_to: _to, ...body } = finding({ facts, check: { id, version: 1 } });
  return { ...body, previous_result: null };
};

describe('evidence log', () => {
  it('begins with the binding as entry 0 and does not write it again when it is opened again', () =>
    withDir((dir) => {
      const first = openLog(dir);
      const line = trust.sign('binding', trust.binding());
      const [entry] = statementsOf(first.store);
      expect(first.log.size()).toBe(1);
      expect(entry?.predicate).toMatchObject({
        kind: 'epoch',
        seq: 0,
        prev: '0'.repeat(64),
        status: 'confirmed',
        binding: toEmbedded(parseEnvelope(line, { maxBytes: 65_536 })),
      });
      first.store.close();
      const second = openLog(dir);
      expect(second.log.size()).toBe(1);
      expect(verdictOn(second.store)).toMatchObject({ ok: true, size: 1, status: 'confirmed' });
      second.store.close();
    }));

  it('stores the exact signed line, chains it by leaf hash and gives the root of all leaves', () =>
    withLog(({ store, log }) => {
      const appended = [1, 2, 3].map((n) => log.append('alert', { ...alert(), details: { n } }));
      const lines = linesOf(store);
      expect(appended.map(({ seq }) => seq)).toEqual([1, 2, 3]);
      lines.forEach((line, seq) => {
        const { prev } = statementIn(line).predicate;
        expect(prev).toBe(seq === 0 ? '0'.repeat(64) : leafHash(lines[seq - 1]!).toString('hex'));
      });
      expect(log.root()).toBe(rootOfLeaves(lines.map(leafHash)).toString('hex'));
      const payload = parseEnvelope(lines[3]!, { maxBytes: MAX_ENTRY_BYTES }).payload;
      expect(appended[2]?.digest).toBe(sha256Hex(payload));
      expect(verdictOn(store)).toMatchObject({ ok: true, size: 4, counts: { epoch: 1, alert: 3 } });
    }));

  it('names the facts, the order, the entry before or a given artefact as the subject', () =>
    withLog(({ store, log }) => {
      log.append('finding', findingBody());
      log.append('order', {
        order_digest: 'd4'.repeat(32),
        order_id: uuidOf(1),
        order_seq: 1,
        order_kind: 'run_check',
        state: 'accepted',
        sentence: 'The order was accepted.',
      });
      log.append('alert', alert());
      log.append('alert', alert(), { subject: { name: 'report', sha256: 'ee'.repeat(32) } });
      const lines = linesOf(store);
      expect(statementsOf(store).map(({ subject }) => subject[0])).toEqual([
        { name: 'entry', digest: { sha256: '0'.repeat(64) } },
        { name: 'facts', digest: { sha256: findingBody().facts_digest } },
        { name: 'order', digest: { sha256: 'd4'.repeat(32) } },
        { name: 'entry', digest: { sha256: leafHash(lines[2]!).toString('hex') } },
        { name: 'report', digest: { sha256: 'ee'.repeat(32) } },
      ]);
    }));

  it('says in every entry whose it is, what surrounded it and by which rules it was scrubbed', () =>
    withLog(({ store, log, clock }) => {
      log.append('alert', alert(), { observedFrom: 1_780_000_000, observedTo: 1_780_000_060 });
      log.append('alert', alert());
      const [, first, second] = statementsOf(store);
      const {
        schema: _s,
        device_spki: _d,
        tls_spki: _t,
        approver: _a,
        status: _st,
        previous: _p,
        issued_at: _i,
        epoch: _e,
        ...bound
      } = trust.binding();
      expect(first?.predicate).toMatchObject({
        ...bound,
        ...ENTRY_CONTEXT,
        observed_from: 1_780_000_000,
        observed_to: 1_780_000_060,
        redaction: { policy_digest: POLICY_DIGEST, counts: {} },
      });
      const now = Math.floor(clock.wallMs() / 1000);
      expect(second?.predicate).toMatchObject({ observed_from: now, observed_to: now });
    }));

  it('goes on with a clock that says 1970 instead of failing', () =>
    withLog(({ store, log, clock }) => {
      clock.setWall(5_000);
      log.append('alert', alert());
      expect(verdictOn(store)).toMatchObject({ ok: true, size: 2 });
    }));

  it('refuses an entry over 65,535 bytes before anything is written', () =>
    withLog(({ store, log }) => {
      const huge = Array.from({ length: 512 }, (_, i) => ({
        target: `t${i}${'x'.repeat(50)}`,
        check: `c${i}${'y'.repeat(50)}`,
        check_version: 1,
        cadence_s: 3_600,
      }));
      expectCode(() => log.append('scope', { expected: huge }), 'entry_too_large');
      expect(log.size()).toBe(1);
      log.append('alert', alert());
      expect(verdictOn(store)).toMatchObject({ ok: true, size: 2 });
    }));

  it('refuses a body that its schema refuses before anything is written', () =>
    withLog(({ log }) => {
      const bad = { ...alert(), severity: 'catastrophic' } as unknown as ReturnType<typeof alert>;
      expectCode(() => log.append('alert', bad), 'schema_invalid');
      expect(log.size()).toBe(1);
    }));

  it('cuts facts over 32 KiB to whole members and says so in them and in the counts', () =>
    withLog(({ store, log }) => {
      const facts = Object.fromEntries(Array.from({ length: 4_000 }, (_, i) => [`reading_${i}`, i]));
      const { body } = log.append('finding', findingBody(facts, 'undeclared_check'));
      expect(JSON.stringify(body.facts).length).toBeLessThanOrEqual(32 * 1024);
      expect(body.facts['truncated']).toEqual({ members: expect.any(Number), bytes: JSON.stringify(facts).length });
      const [, entry] = statementsOf(store);
      expect(entry?.predicate.redaction.counts).toEqual({ truncated: 1 });
      expect(verdictOn(store)).toMatchObject({ ok: true, size: 2 });
    }));

  it('joins a unit of work: what fails after an append takes the entry back', () =>
    withLog(({ store, log }) => {
      expect(() =>
        store.unit(() => {
          log.append('alert', alert());
          store.settings.set('k', 'v');
          throw new Error('stop');
        }),
      ).toThrow('stop');
      expect(log.size()).toBe(1);
      expect(store.settings.get('k')).toBe(null);
      log.append('alert', alert());
      expect(verdictOn(store)).toMatchObject({ ok: true, size: 2 });
    }));

  it('refuses a device key that is not the one of the binding', () =>
    withLog(({ store, clock }) => {
      const binding = openBinding(trust.root.root, trust.sign('binding', trust.binding()));
      const other = {
        store,
        clock,
        ids: fakeIds(2),
        signer: signerFrom('other'),
        binding,
        context: () => ENTRY_CONTEXT,
      };
      expectCode(() => createEvidenceLog(other), 'evidence_binding_mismatch');
    }));

  it('refuses a store whose log began under another origin or key', () =>
    withLog(({ store, clock }) => {
      const signer = signerFrom('second device');
      const line = trust.sign('binding', trust.binding({ device_spki: signer.spki }));
      const binding = openBinding(trust.root.root, line);
      const other = { store, clock, ids: fakeIds(2), signer, binding, context: () => ENTRY_CONTEXT };
      expectCode(() => createEvidenceLog(other), 'evidence_binding_mismatch');
    }));

  it.each([
    ['a line', "UPDATE entries SET line = replace(line, 'payload', 'payLoad') WHERE id % 4294967296 = 2"],
    ['the compact range', 'UPDATE log_state SET range = zeroblob(64)'],
    ['the last leaf', 'UPDATE log_state SET last_leaf = zeroblob(32)'],
  ])('refuses to continue a log when %s was changed on the disk, sums made to fit', (_what, sql) =>
    withDir((dir) => {
      const { store, log } = openLog(dir);
      log.append('alert', alert());
      log.append('alert', alert());
      store.close();
      withRaw(dir, (raw) => {
        raw.exec('DROP TRIGGER entries_are_final');
        expect(raw.prepare(sql).run().changes).toBe(1);
        raw.exec('UPDATE log_state SET sum = row_sum(epoch, size, last_leaf, range)');
      });
      expectCode(() => openLog(dir), 'store_corrupt');
      expectCode(() => openLog(dir), 'store_corrupt');
    }),
  );

  it('keeps a verifying chain through any sequence of appends, failed units and reopenings', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant('append' as const), n: fc.nat(1_000) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('fail' as const), n: fc.nat(3) }) },
      { weight: 2, arbitrary: fc.constant({ do: 'reopen' as const, n: 0 }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('batch' as const), n: fc.integer({ min: 1, max: 5 }) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) =>
        withDir((dir) => {
          let open = openLog(dir);
          const acknowledged: number[] = [];
          for (const { do: what, n } of steps) {
            const { store, log } = open;
            if (what === 'append') acknowledged.push(log.append('alert', { ...alert(), details: { n } }).seq);
            else if (what === 'batch') {
              store.unit(() => {
                for (let i = 0; i < n; i++) acknowledged.push(log.append('alert', { ...alert(), details: { i } }).seq);
              });
            } else if (what === 'fail') {
              expect(() =>
                store.unit(() => {
                  for (let i = 0; i <= n; i++) log.append('alert', alert());
                  throw new Error('stop');
                }),
              ).toThrow('stop');
            } else {
              store.close();
              open = openLog(dir);
            }
          }
          expect(acknowledged).toEqual(acknowledged.map((_, i) => i + 1));
          expect(verdictOn(open.store)).toMatchObject({
            ok: true,
            size: acknowledged.length + 1,
            root: open.log.root(),
          });
          open.store.close();
        }),
      ),
      { numRuns: 40 },
    );
  });
});
