import { describe, it, expect } from 'vitest';
import { summaryOf } from '../../../agent/cli/entry-summary.ts';
import { ENTRY_KINDS, type Predicate } from '../../../agent/wire/schemas/entry.ts';
import { BODIES } from '../../support/entry-bodies.ts';

describe('summaryOf', () => {
  it.each(ENTRY_KINDS.map((kind) => [kind]))('says an entry of the kind %s in one line', (kind) => {
    expect(BODIES[kind].length).toBeGreaterThan(0);
    for (const body of BODIES[kind]) {
      const summary = summaryOf({ kind, ...body } as unknown as Predicate);
      expect(summary).not.toMatch(/undefined|null|NaN|\[object|\n/);
      expect(summary.length).toBeGreaterThan(5);
    }
  });

  it('names the target that an alert is about, and reads one whose details are missing', () => {
    const alert = { kind: 'alert', code: 'target_certificate_ends', state: 'raised', sentence: 'It ends.' };
    const said = (details?: object): string => summaryOf({ ...alert, details } as unknown as Predicate);
    expect(said({ target: 'srv-1' })).toBe('target_certificate_ends on srv-1 raised. It ends.');
    expect([said({}), said()]).toEqual(Array.from({ length: 2 }, () => 'target_certificate_ends raised. It ends.'));
  });
});
