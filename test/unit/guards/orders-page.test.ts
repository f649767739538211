import { readFileSync } from 'node:fs';
import { describe, it, expect } from 'vitest';
import { CODES } from '../../../agent/errors/codes.ts';
import { ACCEPTANCE_STEPS } from '../../../agent/guards/order-acceptance.ts';
import { DIAGNOSTIC_ITEMS } from '../../../agent/guards/order-params.ts';

const page = readFileSync(new URL('../../../docs/formats/orders.md', import.meta.url), 'utf8');

describe('the page on orders', () => {
  it('lists every step and code of acceptance in the order of the code, with the reason that the code has', () => {
    const rows = [...page.matchAll(/^\| *([0-9]*) *\| *([a-z]*) *\| *`(order_[a-z_]+)` *\| *[a-z]+ *\| *(.+?) *\|$/gm)];
    const expected = ACCEPTANCE_STEPS.flatMap(([step, codes], i) =>
      codes.map((code, j) => [j === 0 ? String(i + 1) : '', j === 0 ? step : '', code, CODES[code].when]),
    );
    expect(rows.map((row) => row.slice(1))).toEqual(expected);
  });
  it('names every item that diagnostics may collect', () => {
    for (const item of DIAGNOSTIC_ITEMS) expect(page).toContain(`\`${item}\``);
  });
});
