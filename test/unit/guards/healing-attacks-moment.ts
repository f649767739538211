// Attempts to have it done too often, too early, in too many places at once, or at the wrong time. For tests only.
import { afterNeed, SITE_BREAKER_CLOSED } from '../../../agent/guards/site-breaker.ts';
import { DAY, disruptive, HOUR, MINUTE, NOON, policy, request, run, RUNBOOK } from '../../support/healing-fixtures.ts';
import { rows, type Attack } from './healing-attack.ts';

const order = { by: 'order', class: 'routine', dryRun: false, leavesWindow: false } as const;
const failed = (ago: number, more: object = {}) => run(ago, { outcome: 'failed', ...more });
/** The window of the fixtures is open from 07:00 to 10:00; this one is not at NOON. */
const CLOSED = { ...policy, windows: [{ days: ['fri' as const], start: '20:00', end: '22:00' }] };
const OPENS = NOON + 12 * HOUR;
const tripped = afterNeed(afterNeed(SITE_BREAKER_CLOSED, 'pc-1', NOON - 50 * MINUTE), 'pc-2', NOON);
const byRunbook = (state: typeof tripped) => new Map([[RUNBOOK.id, state]]);
const controller = { roles: { declared: 'domain_controller', detected: 'domain_controller' } };
const otherController = (outcome: 'success' | 'failed' | 'reverted' | 'dry_run', ago = 2 * HOUR) =>
  run(ago, { target: 'dc-2', domainController: true, outcome });

export const ATTACKS_ON_THE_MOMENT: readonly Attack[] = [
  ...rows('runbook_breaker', request, [
    ['a rollback of this runbook failed elsewhere', 'people', { facts: { blockedRunbooks: new Set([RUNBOOK.id]) } }],
    [
      'an order for a blocked runbook',
      'people',
      { request: { authority: order }, facts: { blockedRunbooks: new Set([RUNBOOK.id]) } },
    ],
    ['another runbook is blocked', 'act', { facts: { blockedRunbooks: new Set(['RB-WIN-PATCH-001']) } }],
  ]),
  ...rows('site_breaker', request, [
    [
      'a second target needs the same runbook within the hour',
      'people',
      { facts: { siteBreakers: byRunbook(tripped) } },
    ],
    [
      'the hour is over and nobody looked',
      'people',
      { facts: { now: NOON + 3 * HOUR, seenAt: [NOON, NOON + 3 * HOUR], siteBreakers: byRunbook(tripped) } },
    ],
    [
      'one target under two spellings is not two',
      'act',
      {
        facts: {
          siteBreakers: byRunbook(afterNeed(afterNeed(SITE_BREAKER_CLOSED, 'pc-1', NOON), ' PC-1', NOON)),
        },
      },
    ],
    [
      'two targets with just an hour between',
      'act',
      {
        facts: {
          siteBreakers: byRunbook(afterNeed(afterNeed(SITE_BREAKER_CLOSED, 'pc-2', NOON - HOUR), 'pc-1', NOON)),
        },
      },
    ],
    [
      'a need dated ahead, since the clock was set back',
      'people',
      {
        facts: {
          siteBreakers: byRunbook(afterNeed(afterNeed(SITE_BREAKER_CLOSED, 'pc-2', NOON + 9 * HOUR), 'pc-1', NOON)),
        },
      },
    ],
    [
      'one target, on a site of whatever size',
      'act',
      { facts: { siteBreakers: byRunbook(afterNeed(SITE_BREAKER_CLOSED, 'pc-1', NOON)) } },
    ],
    ['people closed it', 'act', { facts: { siteBreakers: byRunbook(afterNeed(SITE_BREAKER_CLOSED, 'pc-1', NOON)) } }],
  ]),
  ...rows('flap', request, [
    [
      'back for the third time in 4 hours',
      'people',
      { facts: { recurredAt: [NOON - 3 * HOUR, NOON - 2 * HOUR, NOON] } },
    ],
    [
      'back for the fifth time in a day, never thrice in 4 hours',
      'people',
      { facts: { recurredAt: [23, 18, 12, 6, 0].map((h) => NOON - h * HOUR) } },
    ],
    ['recurrences dated ahead', 'people', { facts: { recurredAt: [NOON + DAY, NOON + 2 * DAY, NOON + 3 * DAY] } }],
    [
      'an order during flapping',
      'people',
      { request: { authority: order }, facts: { recurredAt: [NOON - 2, NOON - 1, NOON] } },
    ],
    ['twice in 4 hours', 'act', { facts: { recurredAt: [NOON - 2 * HOUR, NOON] } }],
  ]),
  ...rows('attempts', request, [
    ['three failed runs', 'people', { facts: { runs: [9, 8, 7].map((h) => failed(h * HOUR)) } }],
    [
      'three runs that were rolled back',
      'people',
      { facts: { runs: [9, 8, 7].map((h) => run(h * HOUR, { outcome: 'reverted' })) } },
    ],
    [
      'the third failed run counted for another runbook',
      'people',
      { facts: { runs: [9, 8, 7].map((h) => failed(h * HOUR, { key: run(0, { target: 'x' }).key })) } },
    ],
    ['six minutes after the first failed run', 'act', { facts: { runs: [failed(6 * MINUTE)] } }],
    [
      'six minutes after the second failed run',
      'wait',
      { facts: { runs: [failed(HOUR), failed(6 * MINUTE)] }, until: NOON + 4 * MINUTE },
    ],
    [
      'the rule was changed since',
      'act',
      { facts: { runs: [9, 8, 7].map((h) => failed(h * HOUR)), attemptsFrom: NOON - HOUR } },
    ],
  ]),
  ...rows('two_looks', request, [
    ['seen once', 'wait', { facts: { seenAt: [NOON] }, until: NOON + 5 * MINUTE }],
    ['seen twice within a minute', 'wait', { facts: { seenAt: [NOON - MINUTE, NOON] }, until: NOON + 4 * MINUTE }],
    [
      'seen a hundred times within a minute',
      'wait',
      { facts: { seenAt: Array.from({ length: 100 }, (_, i) => NOON - (i % 60)) } },
    ],
    ['the second look is dated ahead', 'wait', { facts: { seenAt: [NOON, NOON + 6 * MINUTE] } }],
    ['never seen', 'wait', { facts: { seenAt: [] }, until: null }],
    ['critical drift, seen once', 'act', { request: { severity: 'critical' }, facts: { seenAt: [NOON] } }],
    ['seen twice with just five minutes between', 'act', { facts: { seenAt: [NOON - 5 * MINUTE, NOON] } }],
  ]),
  ...rows('cool_down', request, [
    ['a success four minutes ago', 'wait', { facts: { runs: [run(4 * MINUTE)] }, until: NOON + MINUTE }],
    [
      'the target in other letters',
      'wait',
      { request: { subject: { ...request.subject, targetId: ' PC-1 ' } }, facts: { runs: [run(4 * MINUTE)] } },
    ],
    [
      'another check asks for the same runbook',
      'wait',
      {
        request: { subject: { ...request.subject, checkId: 'windows_logging', condition: 'x' } },
        facts: { runs: [run(4 * MINUTE)] },
      },
    ],
    ['critical drift', 'wait', { request: { severity: 'critical' }, facts: { runs: [run(4 * MINUTE)] } }],
    ['a run that began long ago and ended just now', 'wait', { facts: { runs: [run(HOUR, { endedAt: NOON })] } }],
    ['a run dated ahead', 'wait', { facts: { runs: [run(-DAY)] } }],
    ['a dry run just now', 'wait', { facts: { runs: [run(MINUTE, { outcome: 'dry_run' })] } }],
    ['just five minutes ago', 'act', { facts: { runs: [run(5 * MINUTE)] } }],
  ]),
  ...rows('runs_per_day', request, [
    [
      'the seventh run of a day, all others with success',
      'wait',
      { facts: { runs: [23, 19, 15, 11, 7, 3].map((h) => run(h * HOUR)) }, until: NOON + HOUR },
    ],
    [
      'after six, for another incident of the same runbook',
      'wait',
      {
        request: { subject: { ...request.subject, condition: 'another' } },
        facts: { runs: [23, 19, 15, 11, 7, 3].map((h) => run(h * HOUR)) },
      },
    ],
    ['the first of six is a day old', 'act', { facts: { runs: [24, 19, 15, 11, 7, 3].map((h) => run(h * HOUR)) } }],
    [
      'six dry runs',
      'act',
      { facts: { runs: [23, 19, 15, 11, 7, 3].map((h) => run(h * HOUR, { outcome: 'dry_run' })) } },
    ],
  ]),
  ...rows('one_at_a_time', request, [
    [
      'another target is being healed',
      'wait',
      { facts: { runs: [run(MINUTE, { target: 'pc-2', outcome: null, endedAt: null })] } },
    ],
    [
      'by another runbook',
      'wait',
      { facts: { runs: [run(MINUTE, { target: 'pc-2', outcome: null, endedAt: null, runbookId: 'RB-WIN-AD-001' })] } },
    ],
    [
      'critical drift meanwhile',
      'wait',
      {
        request: { severity: 'critical' },
        facts: { runs: [run(MINUTE, { target: 'pc-2', outcome: null, endedAt: null })] },
      },
    ],
    [
      'an order meanwhile',
      'wait',
      {
        request: { authority: order },
        facts: { runs: [run(MINUTE, { target: 'pc-2', outcome: null, endedAt: null })] },
      },
    ],
    ['the other one is done', 'act', { facts: { runs: [run(MINUTE, { target: 'pc-2' })] } }],
  ]),
  ...rows('domain_controllers', { ...request, ...controller }, [
    ['another domain controller failed', 'wait', { facts: { runs: [otherController('failed')] } }],
    ['another one was rolled back', 'wait', { facts: { runs: [otherController('reverted')] } }],
    [
      'declared a workstation, and it says that it is one',
      'wait',
      {
        request: { roles: { declared: 'workstation', detected: 'domain_controller' } },
        facts: { runs: [otherController('failed')] },
      },
    ],
    [
      'declared a domain controller, and it says a workstation',
      'wait',
      {
        request: { roles: { declared: 'domain_controller', detected: 'workstation' } },
        facts: { runs: [otherController('failed')] },
      },
    ],
    [
      'nobody knows what it is',
      'wait',
      { request: { roles: { declared: null, detected: null } }, facts: { runs: [otherController('failed')] } },
    ],
    [
      'an older success of the other hides its newer failure',
      'wait',
      { facts: { runs: [otherController('failed', HOUR), otherController('success', 3 * HOUR)] } },
    ],
    [
      'the other was left in order',
      'act',
      { facts: { runs: [otherController('failed', 3 * HOUR), otherController('success', HOUR)] } },
    ],
  ]),
  ...rows('clock', disruptive, [
    ['unsound clock inside the window', 'wait', { facts: { clockSound: false } }],
    [
      'a disruptive order with an unsound clock',
      'wait',
      { request: { authority: { ...order, class: 'disruptive' } }, facts: { clockSound: false } },
    ],
  ]),
  ...rows('clock', request, [['routine work with an unsound clock', 'act', { facts: { clockSound: false } }]]),
  ...rows('window', disruptive, [
    ['outside the window', 'wait', { facts: { policy: CLOSED }, until: OPENS }],
    ['critical drift outside the window', 'wait', { request: { severity: 'critical' }, facts: { policy: CLOSED } }],
    [
      'the second before it opens',
      'wait',
      { facts: { policy: CLOSED, now: OPENS - 1, seenAt: [NOON, OPENS - 1] }, until: OPENS },
    ],
    ['the second in which it opens', 'act', { facts: { policy: CLOSED, now: OPENS, seenAt: [NOON, OPENS] } }],
    [
      'the second in which it closes',
      'wait',
      { facts: { policy: CLOSED, now: OPENS + 2 * HOUR, seenAt: [NOON, OPENS] } },
    ],
    [
      'an order that leaves the window, and no policy for it',
      'refuse',
      { request: { authority: { ...order, class: 'disruptive', leavesWindow: true } }, facts: { policy: CLOSED } },
    ],
    [
      'an order that leaves the window, and the policy lets it',
      'act',
      {
        request: { authority: { ...order, class: 'disruptive', leavesWindow: true } },
        facts: { policy: { ...CLOSED, allow_disruptive_outside_window: true } },
      },
    ],
    [
      'the policy lets orders leave the window, and a rule tries',
      'wait',
      { facts: { policy: { ...CLOSED, allow_disruptive_outside_window: true } } },
    ],
    [
      'a local window that is open, and a policy whose is not',
      'wait',
      { facts: { policy: CLOSED, localWindow: { timeZone: 'UTC', windows: policy.windows } } },
    ],
    ['a site without a window', 'people', { facts: { policy: { ...policy, windows: [] } } }],
    ['put off for over a week', 'people', { facts: { policy: CLOSED, deferredSince: NOON - 8 * DAY } }],
    [
      'a runbook without class is disruptive: listed as routine, it is not',
      'act',
      { request: { subject: request.subject, runbook: RUNBOOK }, facts: { policy: CLOSED } },
    ],
  ]),
];
