// The table of checks that a run of the system tests prints, and the page that keeps the last one.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHECKS } from '../../../agent/checks/registry.ts';
import { readTable, sortedRows, tableProblems, tableText, type CheckRow } from '../../../tools/check-table.ts';

const ROOT = join(import.meta.dirname, '../../..');
const IDS = CHECKS.map((check) => check.id);
const row = (check: string, n: number, kind: CheckRow['kind'] = 'live'): CheckRow => ({
  check,
  situation: `situation ${n} of a | pipe`,
  result: 'pass',
  kind,
  part: 'part 1.0',
});
/** As many rows as a proof needs. */
const enough = (): CheckRow[] => IDS.flatMap((id) => Array.from({ length: 7 }, (_, n) => row(id, n)));

describe('the table of checks', () => {
  it('is read back as it was written, whatever stands in a cell', () => {
    expect(readTable(tableText(enough()))).toEqual(enough());
    expect(sortedRows(enough().toReversed(), IDS).map((one) => one.check)).toEqual(enough().map((one) => one.check));
  });

  it('is no proof with a check that has fewer than three situations on live parts', () => {
    expect(tableProblems(enough(), IDS)).toEqual([]);
    for (const id of IDS) {
      const short = enough().map((one, n) =>
        one.check === id && n % 7 > 1 ? { ...one, kind: 'recorded' as const } : one,
      );
      expect(tableProblems(short, IDS)).toEqual([`${id}: 2 of at least 3 situations on live parts`]);
    }
  });

  it('is no proof with fewer than sixty situations on real parts, and constructed ones do not count', () => {
    const rows = enough().map((one, n) => (n % 7 > 4 ? { ...one, kind: 'constructed' as const } : one));
    expect(tableProblems(rows, IDS)).toEqual(['45 of at least 60 situations on real parts']);
  });
});

describe('docs/check-table.md', () => {
  const page = readTable(readFileSync(join(ROOT, 'docs/check-table.md'), 'utf8'));

  it('holds at least sixty findings on real parts, three of them on live parts for each check', () => {
    expect(tableProblems(page, IDS)).toEqual([]);
  });

  it('names situations that the tests still make', () => {
    const files = ['test/system', 'test/unit/facts'].flatMap((dir) =>
      readdirSync(join(ROOT, dir)).map((name) => readFileSync(join(ROOT, dir, name), 'utf8')),
    );
    // `it('name', …)` and `it.each(…)('name with %s', …)`; only single quotes around a name, by the formatter.
    const names = [...files.join('\n').matchAll(/\(\s*(?:'((?:\\.|[^'\\])+)'|"([^"]+)"),\s*(?:async )?\(/g)].map(
      ([, single, double]) => (single ?? double ?? '').replaceAll("\\'", "'"),
    );
    const patterns = names.map((name) => {
      const parts = name.split('%s').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
      return new RegExp(`^${parts.join('.+')}(?: \\(\\d+\\))?$`);
    });
    expect(patterns.length).toBeGreaterThan(100);
    // Where one test judges for each of a list of systems or checks, it says for which.
    const isListed = (situation: string): boolean =>
      situation.includes(': ') && files.some((text) => text.includes(`\`${situation.split(': ')[0]}: \${`));
    const gone = page.filter(
      ({ situation }) => !isListed(situation) && !patterns.some((pattern) => pattern.test(situation)),
    );
    expect(gone).toEqual([]);
  });
});
