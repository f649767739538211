import { describe, it, expect } from 'vitest';
import type { ErrorCode } from '../../../agent/errors/codes.ts';
import { ACCEPTANCE_STEPS, acceptOrder } from '../../../agent/guards/order-acceptance.ts';
import { acceptanceContext, NIGHT } from '../../support/acceptance-fixtures.ts';
import { NOW, SITE } from '../../support/trust-fixtures.ts';
import { disruptive, limited, signed, trust, type Row } from './order-rows.ts';
import { REFUSED_CONTENTS } from './refused-contents.ts';
import { REFUSED_DOCUMENTS } from './refused-documents.ts';

const REFUSALS = [...REFUSED_DOCUMENTS, ...REFUSED_CONTENTS];

const WAITS: readonly (readonly [string, 'not_yet' | 'deferred', ErrorCode, number | null, () => Row])[] = [
  ['there is no signed time', 'not_yet', 'order_time_unknown', null, () => signed({}, { nowT: null })],
  [
    'its not_before is a second ahead',
    'not_yet',
    'order_not_yet_valid',
    null,
    () => signed({ not_before: NOW + 1, expires_at: NOW + 60 }),
  ],
  [
    'signed time went back and it is more than read',
    'not_yet',
    'order_read_only',
    null,
    () => signed({ kind: 'restart_agent', class: 'routine' }, { readOnly: true }),
  ],
  [
    'its authorisation is issued in the future',
    'not_yet',
    'order_authorisation_not_yet',
    null,
    () => disruptive({ authorisation: { issued_at: NIGHT + 301, not_after: NIGHT + 900 } }),
  ],
  [
    'the clock is unsound and it is disruptive',
    'deferred',
    'order_clock_unsound',
    null,
    () => disruptive({}, { clockSound: false }),
  ],
  [
    'the maintenance window is closed',
    'deferred',
    'order_window_closed',
    NOW + 10 * 3_600,
    () => {
      const times = { issued_at: NOW - 10, not_before: NOW - 10, expires_at: NOW + 600 };
      return disruptive({ order: times }, { nowT: NOW });
    },
  ],
  [
    'the site has no window',
    'deferred',
    'order_window_closed',
    null,
    () => disruptive({}, { policy: trust.policy({ windows: [] }) }),
  ],
  ['there is no site policy yet', 'deferred', 'order_window_closed', null, () => disruptive({}, { policy: null })],
];

const judge = ({ line, ctx }: Row) => acceptOrder(line, acceptanceContext(trust, ctx));

describe('an order is refused, with its own code, when it has', () => {
  it.each(REFUSALS)('%s: %s', (_, code, make) => {
    const verdict = judge(make());
    expect(verdict).toMatchObject({ verdict: 'refused', code });
    expect(verdict).toMatchObject({ outcome: code === 'order_expired' ? 'expired' : 'rejected' });
    expect(verdict.digest).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('an order waits, and is neither accepted nor refused, while', () => {
  it.each(WAITS)('%s: %s with %s', (_, kind, code, until, make) => {
    const verdict = judge(make());
    expect(verdict).toMatchObject({ verdict: kind, code });
    if (verdict.verdict === 'deferred') expect(verdict.until).toBe(until);
  });
});

describe('the list of acceptance codes', () => {
  it('has a test that provokes each code but the delay of a single approver, which has its own', () => {
    const provoked = new Set<string>([...REFUSALS.map((row) => row[1]), ...WAITS.map((row) => row[2])]);
    const listed = ACCEPTANCE_STEPS.flatMap(([, codes]) => codes as readonly string[]);
    expect(listed.filter((code) => !provoked.has(code))).toEqual(['order_authorisation_delay']);
    expect([...provoked].filter((code) => !listed.includes(code))).toEqual([]);
    expect(new Set(listed).size).toBe(listed.length);
  });
  it('is provoked by at least 60 kinds of bad order', () => {
    expect(new Set(REFUSALS.map((row) => row[0])).size).toBe(REFUSALS.length);
    expect(REFUSALS.length).toBeGreaterThanOrEqual(60);
  });
});

describe('the site of the order fixtures', () => {
  it('is the one that a key limited to it may sign for', () => {
    expect(judge({ ...signed({}), ctx: { root: limited([SITE]) } })).toMatchObject({ verdict: 'accepted' });
  });
});
