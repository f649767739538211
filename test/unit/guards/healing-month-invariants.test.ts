// The invariants of the month that the real daemon lives through (test/system/healing-month.test.ts), on a small month that is in order
// and on the same one with one thing wrong: each of them can be broken.
import { expect, it } from 'vitest';
import type { Predicate } from '../../../agent/wire/schemas/entry.ts';
import { shares, violations } from '../../lab/healing-month/invariants.ts';
import type { Note } from '../../lab/healing-month/machines.ts';
import type { HealingMonth } from '../../lab/healing-month/run-healing-month.ts';

/** 2026-11-24 23:30 in New York: the window is open. */
const NIGHT_S = 1_795_581_000;
const HOUR_S = 3_600;
const DAY_S = 86_400;
const RUNBOOK = 'RB-WIN-FIREWALL-001';
const AV = 'RB-WIN-AV-001';
type Given = Record<string, unknown> & { readonly kind: Predicate['kind'] };

const finding = (target: string, result: string, at: number): Given => ({
  ...{ kind: 'finding', target: { id: target }, check: { id: 'windows_firewall' }, result, observed_to: at },
});
const incident = (target: string, state: string, at: number, more: object = {}): Given => ({
  ...{ kind: 'incident', incident_id: `of ${target}`, target: { id: target }, check: { id: 'windows_firewall' } },
  ...{ state, sentence: 'said', next_step_at: null, observed_to: at, ...more },
});
const action = (target: string, phase: string, at: number, more: object = {}): Given => ({
  ...{ kind: 'action', phase, target: { id: target }, runbook: { id: RUNBOOK }, incident_id: `of ${target}` },
  ...{ plan_digest: `plan of ${target} at ${Math.floor(at / DAY_S)}`, observed_to: at, ...more },
});
const pause = (at: number, hours: number): Given => ({
  ...{ kind: 'order', order_kind: 'set_healing', state: 'result', outcome: 'success', observed_to: at },
  result: { paused_until: at + hours * HOUR_S },
});
const note = (target: string, phase: Note['phase'], at: number, logSize: number, more: Partial<Note> = {}): Note => ({
  ...{ target, phase, part: 'firewall', atMs: at * 1_000, logSize, before: false, after: true },
  ...{ wrongSinceMs: (at - 2 * HOUR_S) * 1_000, lastLookMs: at * 1_000, ...more },
});

const healed = { outcome: 'success' };
const failed = { outcome: 'failed', code: 'runbook_not_verified' };

interface Small {
  readonly entries: readonly Given[];
  readonly journal: readonly Note[];
  readonly tickets?: HealingMonth['tickets'];
  readonly steps?: HealingMonth['steps'];
  readonly kills?: readonly number[];
}

/** One run that heals, from entry `first` on; `at`: when the machine is changed. */
function run(target: string, first: number, at: number, more: object = healed): Small {
  return {
    entries: [
      finding(target, 'fail', at - HOUR_S),
      incident(target, 'acting', at),
      action(target, 'intent', at),
      finding(target, 'pass', at + 120),
      action(target, 'result', at + 120, more),
    ],
    journal: [note(target, 'remediate', at, first + 3), note(target, 'verify', at + 60, first + 3)],
  };
}

const joined = (...parts: readonly Small[]): Small => ({
  entries: parts.flatMap(({ entries }) => entries),
  journal: parts.flatMap(({ journal }) => journal),
});

function monthOf({ entries, journal, tickets = [], steps = [], kills = [] }: Small): HealingMonth {
  const numbered = entries.map((one, seq) => ({ ...one, seq })) as unknown as Predicate[];
  const endMs = (NIGHT_S + 10 * DAY_S) * 1_000;
  return {
    ...{ seed: 0, days: 10, startMs: NIGHT_S * 1_000, endMs, entries: numbered, lines: [], journal, looks: 0 },
    ...{ tickets, steps, kills, cuts: {}, fate: {}, defects: [], realS: 0 },
    rss: { samples: 0, afterWarmUp: 0, end: 0 },
  };
}

const broken = (small: Small): string[] =>
  Object.entries(violations(monthOf(small)))
    .filter(([, list]) => list.length > 0)
    .map(([name]) => name);

const one = run('pc-1', 0, NIGHT_S);
const av = (entry: Given): Given => ({ ...entry, runbook: { id: AV } });
const asAv = ({ entries, journal }: Small): Small => ({
  entries: entries.map((entry) => (entry.kind === 'action' ? av(entry) : entry)),
  journal: journal.map((n) => ({ ...n, part: 'av' as const })),
});

it('nothing is broken by a month in which all is as it should be, and its heals are those of rules', () => {
  const month = joined(one, run('pc-2', 5, NIGHT_S + 7_200));
  expect(broken(month)).toEqual([]);
  expect(shares(monthOf(month))).toEqual({ L1: 2, L2: 0, people: 0, 'by itself': 0 });
});

it('what people ordered on one machine while the cut-off run of another waits for a look is not two at once, unless nothing was cut off', () => {
  const cutOff = run('pc-1', 0, NIGHT_S, { outcome: 'failed', code: 'runbook_interrupted' });
  const ordered = run('pc-2', 3, NIGHT_S + HOUR_S);
  const byPeople = ordered.entries.map((e) => (e.kind === 'action' ? { ...e, order_digest: 'ab' } : e));
  const month = {
    entries: [...cutOff.entries.slice(0, 3), ...byPeople, ...cutOff.entries.slice(3)],
    journal: [
      note('pc-1', 'remediate', NIGHT_S, 3),
      ...ordered.journal,
      note('pc-1', 'verify', NIGHT_S + 2 * HOUR_S, 9),
    ],
  };
  expect(broken({ ...month, kills: [(NIGHT_S + 10) * 1_000] })).toEqual([]);
  expect(broken(month)).toEqual(['two targets at once']);
});

const WRONG: readonly (readonly [string, Small])[] = [
  ['a disruptive change outside the window', run('pc-1', 0, NIGHT_S + 12 * HOUR_S)],
  [
    'two targets at once',
    {
      entries: [...one.entries.slice(0, 3), ...run('pc-2', 3, NIGHT_S).entries.slice(0, 3), ...one.entries.slice(3)],
      journal: [...one.journal, note('pc-2', 'remediate', NIGHT_S + 30, 6)],
    },
  ],
  [
    'a run by itself while that of another target has no result',
    {
      entries: [...one.entries.slice(0, 3), ...run('pc-2', 3, NIGHT_S + HOUR_S).entries, ...one.entries.slice(3)],
      journal: [note('pc-1', 'remediate', NIGHT_S, 3), note('pc-2', 'remediate', NIGHT_S + HOUR_S, 6)],
    },
  ],
  [
    'two runs at once on one target',
    {
      entries: [
        ...one.entries.slice(0, 3),
        action('pc-1', 'intent', NIGHT_S + 2 * DAY_S),
        action('pc-1', 'result', NIGHT_S + 2 * DAY_S, healed),
        ...one.entries.slice(3),
      ],
      journal: one.journal,
    },
  ],
  [
    'a domain controller while another was not left in order',
    joined(run('dc-1', 0, NIGHT_S, failed), run('dc-2', 5, NIGHT_S + 7_200)),
  ],
  ['a change without an intent in the log before it', { ...one, journal: [note('pc-1', 'remediate', NIGHT_S, 2)] }],
  [
    'a change without an intent in the log before it',
    { ...one, journal: [...one.journal, note('pc-9', 'rollback', NIGHT_S, 3)] },
  ],
  ['a heal without a look of its own after the change', { ...one, journal: one.journal.slice(0, 1) }],
  ['a heal without a look of its own after the change', { ...one, journal: one.journal.toReversed() }],
  [
    'an attempt above the limit of its rule',
    joined(run('pc-1', 0, NIGHT_S, failed), run('pc-1', 5, NIGHT_S + 2 * DAY_S, failed)),
  ],
  ['a run within the pause after the last one', joined(one, run('pc-1', 5, NIGHT_S + 7_200))],
  [
    'more than six runs of a day',
    asAv(joined(...Array.from({ length: 7 }, (_, n) => run('pc-1', 5 * n, NIGHT_S + n * 600)))),
  ],
  [
    'a change of what was seen only once',
    { ...one, journal: one.journal.map((n) => ({ ...n, wrongSinceMs: n.lastLookMs })) },
  ],
  [
    'a run of what was left to people',
    joined({ entries: [incident('pc-1', 'ticketed', NIGHT_S)], journal: [] }, run('pc-1', 1, NIGHT_S + 60)),
  ],
  [
    'a run of what broke itself off',
    joined(
      run('pc-1', 0, NIGHT_S, { outcome: 'failed', code: 'runbook_rollback_failed' }),
      run('pc-2', 5, NIGHT_S + 7_200),
    ),
  ],
  [
    'a run of what broke itself off',
    joined(
      {
        entries: [
          incident('pc-3', 'ticketed', NIGHT_S, { sentence: 'several targets needed this runbook within an hour' }),
        ],
        journal: [],
      },
      run('pc-2', 1, NIGHT_S + 7_200),
    ),
  ],
  [
    'a change while healing was paused',
    joined({ entries: [pause(NIGHT_S - 60, 5)], journal: [] }, run('pc-1', 1, NIGHT_S)),
  ],
  [
    'a disruptive change by a wrong clock',
    { ...one, steps: [{ fromMs: (NIGHT_S - DAY_S) * 1_000, toMs: (NIGHT_S + DAY_S) * 1_000, ms: 1_200_000 }] },
  ],
  [
    'a run by a rule that nobody granted',
    {
      ...one,
      entries: one.entries.map((entry) => (entry.kind === 'action' ? { ...entry, incident_id: undefined } : entry)),
    },
  ],
  [
    'a condition with two tickets',
    {
      ...one,
      tickets: ['aa', 'bb'].map((ticketId) => ({
        ticketId,
        condition: 'finding/pc-1/windows_firewall',
        state: 'open',
      })),
    },
  ],
  [
    'an incident without an end',
    { entries: [finding('pc-1', 'fail', NIGHT_S), incident('pc-1', 'waiting', NIGHT_S)], journal: [] },
  ],
  ['a run without a result', { ...one, entries: one.entries.slice(0, 4) }],
];

it.each(WRONG)('%s is found', (name, small) => {
  expect(broken(small)).toContain(name);
});

it('each of them can be broken', () => {
  const names = Object.keys(violations(monthOf(one)));
  expect(names.filter((name) => !WRONG.some(([wrong]) => wrong === name))).toEqual([]);
});
