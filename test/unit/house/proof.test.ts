import { describe, it, expect } from 'vitest';
import { judgeLedger, readLedger, type TestResult } from '../../../tools/proof.ts';

const test = (fullName: string, state: TestResult['state'] = 'passed', reason: string | null = null): TestResult => ({
  file: 'test/x.test.ts',
  name: fullName.split(' > ').at(-1) ?? '',
  fullName,
  state,
  reason,
});
const RESULTS = new Map([
  [
    'npm test',
    [
      test('orders > refuses a replay'),
      test('orders > refuses case one'),
      test('orders > refuses case two'),
      test('log > is kept'),
      test('tree > is kept'),
      test('log > breaks', 'failed'),
      test('log > waits', 'skipped', 'needs a network'),
      test('a name | with a bar'),
    ],
  ],
  [
    'test:system',
    [
      test('cuts power ten times', 'skipped', 'needs root'),
      test('kills it', 'skipped'),
      test('boots'),
      test('log > is kept'),
      { ...test('seals', 'skipped', 'no server to test against'), file: 'test/interop/winrm.test.ts' },
      { ...test('opens', 'skipped'), file: 'test/interop/winrm.test.ts' },
    ],
  ],
]);
const ledger = (...rows: string[]) =>
  ['# Proof', '', '| promise | test | suite | state |', '| --- | :-- | --- | ---: |', ...rows].join('\n');
const problemsOf = (row: string | string[], local = false) =>
  judgeLedger(readLedger(ledger(...[row].flat())), RESULTS, { local }).problems;

describe('the proof ledger', () => {
  it.each([
    ['a test that ran and passed', '| p | refuses a replay | npm test | proven |'],
    ['a test named with its group', '| p | log > is kept | npm test | proven |'],
    ['a name in code quotes', '| p | `refuses a replay` | `npm test` | proven |'],
    ['a name with an escaped bar', '| p | a name \\| with a bar | npm test | proven |'],
    ['several tests in one row', '| p | refuses a replay<br>log > is kept | npm test | proven |'],
    ['a table of cases', '| p | refuses case … | npm test | proven |'],
    ['an open row without a test', '| p | – | npm test | open: needs hardware |'],
    ['an open row whose test does not exist', '| p | some day | npm test | open: not written |'],
    ['a system test that ran', '| p | boots | test:system | proven |'],
  ])('accepts %s', (_what, row) => {
    expect(problemsOf(row)).toEqual([]);
  });

  it.each([
    ['a test that did not run', '| p | refuses everything | npm test | proven |'],
    ['a test that failed', '| p | breaks | npm test | proven |'],
    ['a test that ran in the other suite only', '| p | boots | npm test | proven |'],
    ['a name that two tests have', '| p | is kept | npm test | proven |'],
    ['a table without a case', '| p | accepts case … | npm test | proven |'],
    ['a table that holds a failed case', '| p | log > … | npm test | proven |'],
    ['one missing test out of two', '| p | refuses a replay<br>gone | npm test | proven |'],
    ['a proven row without a test', '| p | – | npm test | proven |'],
    ['a proven row with an empty test', '| p |  | npm test | proven |'],
    ['an open row without a reason', '| p | – | npm test | open |'],
    ['an open row with an empty reason', '| p | – | npm test | open: |'],
    ['a state of another name', '| p | refuses a replay | npm test | done |'],
    ['a suite of another name', '| p | refuses a replay | unit | proven |'],
    ['a row without a promise', '|  | refuses a replay | npm test | proven |'],
    ['a row with too few cells', '| p | refuses a replay |'],
    ['a system test that was skipped', '| p | cuts power ten times | test:system | proven |'],
    ['a unit test that was skipped with a reason', '| p | waits | npm test | proven |'],
    ['a part of a name', '| p | refuses a | npm test | proven |'],
    ['a name with the characters of a pattern', '| p | .* | npm test | proven |'],
  ])('refuses %s', (_what, row) => {
    expect(problemsOf(row)).not.toEqual([]);
  });

  it('refuses the same promise in two rows', () => {
    expect(
      problemsOf(['| p | boots | test:system | proven |', '| p | kills it | test:system | open: later |']),
    ).toHaveLength(1);
  });

  it('refuses a ledger without rows', () => {
    expect(judgeLedger(readLedger('# Proof\n\nAll is well.\n'), RESULTS, { local: false }).problems).toHaveLength(1);
  });

  it('refuses a row whose suite did not run at all', () => {
    const rows = readLedger(ledger('| p | boots | test:system | proven |'));
    expect(judgeLedger(rows, new Map([['npm test', []]]), { local: true }).problems).toHaveLength(1);
  });

  it('lets a system test be skipped in local mode only, and only with a reason', () => {
    expect(problemsOf('| p | cuts power ten times | test:system | proven |', true)).toEqual([]);
    expect(problemsOf('| p | kills it | test:system | proven |', true)).toHaveLength(1);
    expect(problemsOf('| p | waits | npm test | proven |', true)).toHaveLength(1);
  });

  it('lets a test against other people’s servers be skipped always, with a reason', () => {
    expect(problemsOf('| p | seals | test:system | proven |')).toEqual([]);
    expect(problemsOf('| p | opens | test:system | proven |')).toHaveLength(1);
    expect(problemsOf('| p | cuts power ten times | test:system | proven |')).toHaveLength(1);
  });

  it('names the line of the ledger and counts what is proven and open', () => {
    const rows = readLedger(
      ledger(
        '| a | boots | test:system | proven |',
        '| b | – | npm test | open: later |',
        '| c | gone | npm test | proven |',
      ),
    );
    const verdict = judgeLedger(rows, RESULTS, { local: false });
    expect(verdict.problems).toEqual(['7: the test "gone" did not run']);
    expect([verdict.proven, verdict.open]).toEqual([1, 1]);
  });

  it('reads tables only under the head it knows', () => {
    expect(readLedger('| a | b | c | d |\n| - | - | - | - |\n| 1 | 2 | 3 | 4 |\n')).toEqual([]);
  });
});
