import { describe, expect, it } from 'vitest';
import { CONTENT_GRACE_S } from '../../../agent/trust/content-list.ts';
import { CONTENT_WARNING_S, contentWarnings, GRANT_WARNING_S } from '../../../agent/trust/content-warnings.ts';
import type { ContentList, StandingGrant } from '../../../agent/wire/schemas/content.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const DAY_S = 86_400;
const END = NOW + 90 * DAY_S;
const grant = (n: number, until: number): StandingGrant => ({
  schema: 'compliance-agent/standing-grant/v1',
  grant_id: `grant-${n}`,
  rule: { id: `rule-${n}`, sha256: 'ab'.repeat(32) },
  runbook: { id: 'RB-APP-AV-001', version: 1, sha256: 'cd'.repeat(32) },
  baseline_sha256: 'ef'.repeat(32),
  class: 'routine',
  scope: 'appliance',
  limits: {},
  not_after: until,
});
const list = (grants: StandingGrant[] = []): ContentList => ({
  schema: 'compliance-agent/content-list/v1',
  partner_id: 'northern-it',
  version: 7,
  issued_at: NOW,
  expires_at: END,
  files: [],
  grants,
});

describe('the end of a content list', () => {
  it('is said 14 days before, then what stops at it, and then that nothing is run any more', () => {
    const at = (now: number): string[] => contentWarnings(list(), now);
    expect([at(NOW), at(END - CONTENT_WARNING_S - 1)]).toEqual([[], []]);
    expect(at(END - CONTENT_WARNING_S)).toEqual(['content list 7 expires in 14 days']);
    expect(at(END - 1)).toEqual(['content list 7 expires in 0 days']);
    expect(at(END)).toEqual(['content list 7 is expired: nothing disruptive is run, and in 30 days no runbook at all']);
    expect(at(END + CONTENT_GRACE_S)[0]).toContain('no runbook is run; checks, evidence and upload go on');
  });

  it('is no news before there is a list', () => {
    expect(contentWarnings(null, NOW)).toEqual([]);
  });
});

describe('the end of a standing grant', () => {
  it('is said 14 days before and once it is over, unless the whole list ends before it', () => {
    const until = NOW + 40 * DAY_S;
    const at = (now: number): string[] => contentWarnings(list([grant(1, until), grant(2, END + DAY_S)]), now);
    expect(at(until - GRANT_WARNING_S - 1)).toEqual([]);
    expect(at(until - GRANT_WARNING_S)).toEqual([
      'the standing grant for rule rule-1 and RB-APP-AV-001 ends in 14 days',
    ]);
    expect(at(until)).toEqual(['the standing grant for rule rule-1 and RB-APP-AV-001 is over: people decide']);
  });

  it('is one sentence where many end', () => {
    const grants = Array.from({ length: 500 }, (_, n) => grant(n, NOW + (n < 5 ? 0 : DAY_S)));
    expect(contentWarnings(list(grants), NOW)).toEqual(['500 standing grants end within 14 days, 5 of them are over']);
  });
});
