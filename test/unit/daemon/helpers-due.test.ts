import { describe, expect, it } from 'vitest';
import {
  diskWarning,
  helpersDue,
  inVain,
  isSealedSince,
  type Asked,
  type HelperNeeds,
} from '../../../agent/daemon/helpers-due.ts';
import { helperFolders } from '../../../agent/daemon/helper-folders.ts';
import type { HelperResult } from '../../../agent/helpers/helper-result.ts';
import type { HelperVerb } from '../../../agent/helpers/verbs.ts';

const MINUTE_MS = 60_000;
const result = (verb: HelperVerb, outcome: HelperResult['outcome'], keyid = ''): HelperResult => ({
  schema: 'compliance-agent/helper-result/v1',
  verb,
  at: 0,
  boot_id: 'b',
  outcome,
  sentence: '',
  details: { keyid },
});
/** Asked, and answered since by whatever has `at` 0. */
const was = (atMs: number, names: string, change: Partial<Asked> = {}): Asked => ({
  ...{ atMs, atS: 0, before: null, names, inVain: 0 },
  ...change,
});
const calm: HelperNeeds = {
  nowMs: 100 * MINUTE_MS,
  nowS: 1_000,
  names: 'a',
  clockSynchronised: true,
  clockOffsetS: 0,
  plainKeyid: null,
  enrolment: 'pending enrolment_pending',
  tokenLeft: false,
  asked: { 'sync-trust': was(0, 'a') },
  results: { 'sync-trust': result('sync-trust', 'done') },
};
const due = (change: Partial<HelperNeeds>): HelperVerb[] => helpersDue({ ...calm, ...change });

describe('what the helpers are started for', () => {
  it('is nothing while nothing is new, however much time goes by', () => {
    expect(due({})).toEqual([]);
    expect(due({ nowMs: 9_999 * MINUTE_MS })).toEqual([]);
  });

  it('is new documents, once; and those that were refused again after a quarter of an hour', () => {
    expect(due({ names: 'b' })).toEqual(['sync-trust']);
    const refused = { 'sync-trust': result('sync-trust', 'refused') };
    const asked = { 'sync-trust': was(90 * MINUTE_MS, 'a') };
    expect(due({ asked, results: refused })).toEqual([]);
    expect(due({ asked, results: refused, nowMs: 105 * MINUTE_MS })).toEqual(['sync-trust']);
    // Without a fresh answer there is nothing to hand over.
    expect(due({ names: null, results: refused })).toEqual([]);
  });

  it('is the memory of the helpers where one of them says that it was lost, until sync-trust has begun it anew', () => {
    const lost = { ...result('restart-unit', 'refused'), code: 'helper_state_lost', at: 50 };
    expect(due({ results: { ...calm.results, 'restart-unit': lost } })).toEqual(['sync-trust']);
    const asked = { 'sync-trust': was(99 * MINUTE_MS, 'a') };
    expect(due({ asked, results: { ...calm.results, 'restart-unit': lost } })).toEqual([]);
    const anew = { ...result('sync-trust', 'done'), at: 51 };
    expect(due({ results: { 'sync-trust': anew, 'restart-unit': lost } })).toEqual([]);
    // Dated by a clock that was ahead then: nobody knows that it was after.
    const ahead = { ...anew, at: 1_001 };
    expect(due({ results: { 'sync-trust': ahead, 'restart-unit': lost } })).toEqual(['sync-trust']);
  });

  it.each(['sync-trust', 'set-clock', 'store-device-key', 'config-stick'] as const)(
    'is %s again where nothing came of it: after ten seconds, twenty, and so on up to a quarter of an hour',
    (verb) => {
      const off = { clockSynchronised: false, clockOffsetS: 500, plainKeyid: 'k', tokenLeft: true };
      const names = { 'sync-trust': 'a', 'set-clock': 'a', 'store-device-key': 'k', 'config-stick': calm.enrolment };
      const others = { 'sync-trust': was(6_000_000, 'a'), 'set-clock': was(6_000_000, 'a') };
      const told = { 'store-device-key': was(6_000_000, 'k'), 'config-stick': was(6_000_000, calm.enrolment) };
      const results = Object.fromEntries(Object.keys(names).map((one) => [one, result(one as HelperVerb, 'done')]));
      const at = (nowMs: number, change: Partial<Asked>, ran?: number): HelperVerb[] =>
        due({
          ...{ ...off, nowMs },
          asked: { ...others, ...told, [verb]: was(6_000_000, names[verb], { atS: 50, ...change }) },
          results: { ...results, [verb]: ran === undefined ? undefined : { ...result(verb, 'done'), at: ran } },
        });
      expect(at(6_009_999, {})).toEqual([]);
      expect(at(6_010_000, {})).toEqual([verb]);
      // What it left before it was asked is no answer.
      expect([at(6_010_000, {}, 49), at(6_010_000, {}, 50)]).toEqual([[verb], []]);
      expect([at(6_019_999, { inVain: 1 }), at(6_020_000, { inVain: 1 })]).toEqual([[], [verb]]);
      expect(at(6_899_999, { inVain: 30 })).toEqual([]);
      expect(at(6_900_000, { inVain: 30 })).toContain(verb);
    },
  );

  it('is what nothing came of, also where a clock that was wrong had dated the result before it ahead', () => {
    const ahead = { ...result('sync-trust', 'done'), at: 9_000 };
    const asked = { 'sync-trust': was(6_000_000, 'a', { atS: 50, before: 9_000 }) };
    const after = (at: number): HelperVerb[] =>
      due({ nowMs: 6_010_000, asked, results: { 'sync-trust': { ...ahead, at } } });
    expect([after(9_000), after(50), after(9_001)]).toEqual([['sync-trust'], [], []]);
  });

  it('is no restart for a key that was sealed before this process, however far ahead that is dated', () => {
    const sealed = { ...result('store-device-key', 'done', 'k'), at: 9_000 };
    const now = { asked: undefined, startedAt: 100, nowS: 200 };
    expect(isSealedSince(sealed, now)).toBe(false);
    expect([99, 100, 200, 201].map((at) => isSealedSince({ ...sealed, at }, now))).toEqual([false, true, true, false]);
    // By a run that this process asked for: it counts whatever the clock says now.
    expect(isSealedSince(sealed, { ...now, asked: was(0, 'k', { atS: 8_990 }) })).toBe(true);
    expect(isSealedSince(sealed, { ...now, asked: was(0, 'k', { atS: 150, before: 9_000 }) })).toBe(false);
    expect(isSealedSince(undefined, now)).toBe(false);
  });

  it('counts in vain what was handed over under the same name, until the helper ran', () => {
    const asked = was(0, 'a', { atS: 50, inVain: 2 });
    expect(inVain('a', asked, undefined)).toBe(3);
    expect(inVain('a', asked, result('sync-trust', 'done'))).toBe(3);
    expect(inVain('b', asked, undefined)).toBe(0);
    expect(inVain('a', asked, { ...result('sync-trust', 'refused'), at: 50 })).toBe(0);
    expect(inVain('a', undefined, undefined)).toBe(0);
  });

  it.each([
    ['synchronised', { clockSynchronised: true, clockOffsetS: 9_000 }, []],
    ['of a state that nobody has read', { clockSynchronised: null, clockOffsetS: 9_000 }, []],
    ['off by two minutes', { clockSynchronised: false, clockOffsetS: -120 }, []],
    ['far behind and not synchronised', { clockSynchronised: false, clockOffsetS: 121 }, ['set-clock']],
    ['far ahead and not synchronised', { clockSynchronised: false, clockOffsetS: -121 }, ['set-clock']],
  ])('for the clock, where it is %s', (_, change, verbs) => {
    expect(due(change)).toEqual(verbs);
  });

  it('the clock is not asked for more often than its helper works', () => {
    const results = { ...calm.results, 'set-clock': result('set-clock', 'refused') };
    const off = { clockSynchronised: false, clockOffsetS: 500, results };
    const asked = { ...calm.asked, 'set-clock': was(100 * MINUTE_MS, 'a') };
    expect(due({ ...off, asked, nowMs: 400 * MINUTE_MS })).toEqual([]);
    expect(due({ ...off, asked, nowMs: 600 * MINUTE_MS })).toEqual(['set-clock']);
  });

  it('is a device key in a file, once its binding is with the helpers, until they hold it', () => {
    const plainKeyid = 'k';
    expect(due({ plainKeyid, names: 'b' })).toEqual(['sync-trust']);
    expect(due({ plainKeyid })).toEqual(['store-device-key']);
    const asked = { ...calm.asked, 'store-device-key': was(95 * MINUTE_MS, 'k') };
    const refused = { ...calm.results, 'store-device-key': result('store-device-key', 'refused') };
    expect(due({ plainKeyid, asked, results: refused })).toEqual([]);
    expect(due({ plainKeyid, asked, results: refused, nowMs: 111 * MINUTE_MS })).toEqual(['store-device-key']);
    const stored = { ...calm.results, 'store-device-key': result('store-device-key', 'unchanged', 'k') };
    expect(due({ plainKeyid, asked, results: stored, nowMs: 999 * MINUTE_MS })).toEqual([]);
    expect(due({ plainKeyid: 'other', asked, results: stored })).toEqual(['store-device-key']);
  });
});

describe('the folders of the helpers', () => {
  it('are those that the unit names; elsewhere there are none', () => {
    expect(helperFolders({ RUNTIME_DIRECTORY: '/run/compliance-agent/drop' })).toEqual({
      dropDir: '/run/compliance-agent/drop',
      resultDir: '/run/compliance-agent/helpers',
    });
    expect(helperFolders({})).toBeNull();
    expect(helperFolders({ RUNTIME_DIRECTORY: '/run/other' })).toBeNull();
    expect(helperFolders({ RUNTIME_DIRECTORY: '/run/a/drop:/run/b/drop' })).toBeNull();
  });
});

describe('what a stick is told', () => {
  const taken = { results: { ...calm.results, 'config-stick': result('config-stick', 'done') } };
  const told = (names: string, atMs: number): Partial<HelperNeeds> => ({
    asked: { ...calm.asked, 'config-stick': was(atMs, names) },
  });

  it('is how enrolment stands, each time that changes, for a stick that was taken in this boot', () => {
    expect(due({})).toEqual([]);
    expect(due(taken)).toEqual(['config-stick']);
    expect(due({ ...taken, ...told(calm.enrolment, 0) })).toEqual([]);
    expect(due({ ...taken, ...told('claimed', 0) })).toEqual(['config-stick']);
  });

  it('waits where enrolment changes all the time, and a stick that was refused is told nothing more', () => {
    expect(due({ ...taken, ...told('claimed', calm.nowMs - 9_999) })).toEqual([]);
    expect(due({ ...taken, ...told('claimed', calm.nowMs - 10_000) })).toEqual(['config-stick']);
    const refused = { results: { ...calm.results, 'config-stick': result('config-stick', 'refused') } };
    expect(due(refused)).toEqual([]);
  });

  it("has root's copy of the token overwritten once it is enrolled, also when the stick is gone", () => {
    expect(due({ tokenLeft: true })).toEqual(['config-stick']);
    const results = { ...calm.results, 'config-stick': result('config-stick', 'refused') };
    expect(due({ tokenLeft: true, results, ...told(calm.enrolment, 0) })).toEqual([]);
  });
});

describe('what is said of the disk', () => {
  it('is said for as long as the last run found that its key lies beside it, and never of a run that was refused', () => {
    const sealed = result('seal-disk', 'unchanged');
    const beside = { ...sealed, sentence: 'beside', details: { opens_with: 'key_file' } };
    expect(diskWarning(beside)).toBe('beside');
    expect(diskWarning({ ...sealed, details: { opens_with: 'tpm2' } })).toBeNull();
    expect(diskWarning({ ...beside, outcome: 'refused' })).toBeNull();
    expect(diskWarning(undefined)).toBeNull();
  });
});
