// Small parts of the helpers that heal: texts for nft, the ledger, the restore test's result, names and numbers that other files repeat.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseBaseline } from '../../../agent/checks/baseline.ts';
import { selfFillingSets } from '../../../agent/facts/normalise-ruleset.ts';
import { differenceOf, refillSet, replaceTables } from '../../../agent/helpers/firewall-text.ts';
import { restoreTestRun } from '../../../agent/helpers/heal-acts.ts';
import { EMPTY_LEDGER, ledgerAt, withOrder, withRun, withSeen } from '../../../agent/helpers/heal-ledger.ts';
import { CONFIRM_WITHIN_S, REVERT_TIMER } from '../../../agent/helpers/restore-firewall.ts';
import { healBaseline } from '../../support/heal-fixtures.ts';

const DAY_S = 86_400;

describe('a text for nft', () => {
  it('removes tables whether they are there or not, and then declares them', () => {
    expect(replaceTables([{ family: 'inet', name: 'lab' }], ['table inet lab { }'])).toBe(
      'table inet lab\ndelete table inet lab\ntable inet lab { }\n',
    );
  });

  it('fills a set again from what nft lists, quoted braces and all', () => {
    const set = { family: 'inet', table: 'lab', name: 'reached' };
    const listed = `table inet lab {\n\tset reached {\n\t\telements = { 10.0.0.1 . 443 expires 29m comment "a } b",\n\t\t\t     10.0.0.2 . 443 expires 1h }\n\t}\n}\n`;
    expect(refillSet(set, listed)).toBe(
      'add element inet lab reached { 10.0.0.1 . 443 expires 29m comment "a } b", 10.0.0.2 . 443 expires 1h }',
    );
    expect(refillSet(set, 'table inet lab {\n\tset reached {\n\t}\n}\n')).toBeNull();
  });

  it('carries over only sets that fill themselves', () => {
    const set = (name: string, more: object): object => ({ set: { family: 'inet', table: 'lab', name, ...more } });
    const text = JSON.stringify({
      nftables: [
        { metainfo: {} },
        set('timed', { flags: ['timeout'], elem: ['a'] }),
        set('dynamic', { flags: 'dynamic', elem: ['a'] }),
        set('empty', { flags: ['timeout'] }),
        set('fixed', { flags: ['interval'], elem: ['a'] }),
      ],
    });
    expect(selfFillingSets(text)?.map(({ name }) => name)).toEqual(['timed', 'dynamic']);
    expect([selfFillingSets('no JSON'), selfFillingSets('{}')]).toEqual([null, null]);
  });

  it('is right where the declared tables have the declared digests, whatever else there is', () => {
    const sha256 = 'ab'.repeat(32);
    const { checks } = parseBaseline(healBaseline({ tables: `{ family: inet, name: lab, sha256: '${sha256}' }` }), 'b');
    if (checks.firewall?.expected !== 'declared') throw new Error('no firewall');
    const lab = { family: 'inet', name: 'lab', sha256 };
    expect(differenceOf([lab, { ...lab, name: 'other' }], checks.firewall)).toBeNull();
    expect(differenceOf([], checks.firewall)).toMatch(/missing/);
    expect(differenceOf([{ ...lab, sha256: 'cd'.repeat(32) }], checks.firewall)).toMatch(/not as declared/);
  });
});

describe('the ledger of the helpers', () => {
  it('forgets runs after a day and authorisations after two weeks, and nothing that lies ahead', () => {
    let ledger = ledgerAt(EMPTY_LEDGER, 1_000_000, { epoch: 1, issued_at: 5 });
    ledger = withOrder(withRun(ledger, 'RB-APP-AV-001', 1_000_000), { seq: 3, digest: 'd', id: 'i', at: 1_000_000 });
    ledger = withSeen(withSeen(ledger, 's', 1_000_000), 's', 1_000_900);
    expect(ledger.seen).toEqual([{ digest: 's', at: 1_000_000 }]);
    const at = (now: number) => {
      const { runs, used, seen } = ledgerAt(ledger, now, { epoch: 1, issued_at: 5 });
      return [runs.length, used.length, seen.length];
    };
    expect(at(1_000_000 - DAY_S)).toEqual([1, 1, 1]);
    expect(at(1_000_000 + DAY_S)).toEqual([0, 1, 1]);
    expect(at(1_000_000 + 14 * DAY_S)).toEqual([0, 0, 0]);
    expect(ledgerAt(ledger, 1_000_000, { epoch: 1, issued_at: 9 }).orders).toEqual({ epoch: 1, began: 5, floor: 3 });
  });
});

describe('the result of a restore test', () => {
  const details = {
    test: 'disproven',
    reason: 'differs',
    repository: 'ab'.repeat(32),
    started_at: 1,
    finished_at: 9,
    count_listed: 3,
  };

  it('gives the run that the check of the backup reads', () => {
    expect(restoreTestRun({ verb: 'restore-test', details: { ...details, request_id: 'x' } })).toEqual({
      outcome: 'disproven',
      reason: 'differs',
      subject: 'ab'.repeat(32),
      started_at: 1,
      finished_at: 9,
      counts: { listed: 3 },
    });
  });

  it('gives none where it was refused, or is of another helper', () => {
    expect(restoreTestRun({ verb: 'restore-test', details: {} })).toBeNull();
    expect(restoreTestRun({ verb: 'run-backup', details })).toBeNull();
  });
});

describe('the timer of the way back', () => {
  it('waits as long as the helper says', () => {
    const timer = readFileSync(join(import.meta.dirname, '../../../nix/golden', REVERT_TIMER), 'utf8');
    expect(timer).toContain(`OnActiveSec=${CONFIRM_WITHIN_S}\n`);
  });
});
