import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ANSWER_ATTACKS } from '../../attacks/answer-attacks.ts';
import { DOCUMENT_ATTACKS } from '../../attacks/document-attacks.ts';
import { GRANT_ATTACKS } from '../../attacks/heal-attacks.ts';
import { ORDERED_ATTACKS } from '../../attacks/heal-order-attacks.ts';
import { FILE_ATTACKS, FIRST_ROOT_ATTACKS, OLD_TRUTH_ATTACKS } from '../../attacks/helper-attacks.ts';
import { ENROLMENT_ATTACKS } from '../../attacks/enrolment-attacks.ts';
import { ORDER_ATTACKS } from '../../attacks/order-attacks.ts';
import { TARGET_ATTACKS } from '../../attacks/target-attacks.ts';

const text = readFileSync(join(import.meta.dirname, '../../../docs/threat-model.md'), 'utf8');
const rows = new Map(
  text.split('\n').flatMap((line): [string, string][] => {
    const [, what, met] = /^\| (.+?) +\| (.+?) +\|$/.exec(line) ?? [];
    return what === undefined || met === undefined ? [] : [[what, met]];
  }),
);
const MIN_CASES = 40;

describe('the threat model', () => {
  const helpers = [...FIRST_ROOT_ATTACKS, ...OLD_TRUTH_ATTACKS, ...FILE_ATTACKS, ...GRANT_ATTACKS, ...ORDERED_ATTACKS];
  const cases = [
    ...ENROLMENT_ATTACKS,
    ...ORDER_ATTACKS,
    ...ANSWER_ATTACKS,
    ...DOCUMENT_ATTACKS,
    ...TARGET_ATTACKS,
    ...helpers,
  ];

  it('has a row for each attack that is tried, with the code that it meets', () => {
    const missing = cases.filter(({ what, code }) => rows.get(what) !== (code === null ? '(waits)' : `\`${code}\``));
    expect(missing.map(({ what }) => what)).toEqual([]);
  });

  it('names at least forty attacks, each once', () => {
    const names = cases.map(({ what }) => what);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThanOrEqual(MIN_CASES);
  });
});
