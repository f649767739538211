// Attempts to have done what nobody allowed: modes, limits, content, grants, pauses, a log that is full. For tests only.
import { DEFAULT_LIMITS } from '../../../agent/guards/healing-limits.ts';
import {
  content,
  DAY,
  disruptive,
  grantedWith,
  HOUR,
  NOON,
  policy,
  request,
  RULE,
  run,
  RUNBOOK,
} from '../../support/healing-fixtures.ts';
import { rows, type Attack } from './healing-attack.ts';

const trial = { state: 'canary', targetId: 'pc-1', until: NOON + HOUR, isTold: true } as const;
const order = { by: 'order', class: 'routine', dryRun: false, leavesWindow: false } as const;
const healing = (mode: 'off' | 'dry_run' | 'on', own?: 'off' | 'dry_run' | 'on') => ({
  ...policy,
  healing: { mode, runbooks: own === undefined ? [] : [{ id: RUNBOOK.id, mode: own }] },
});

export const ATTACKS_ON_WHAT_IS_ALLOWED: readonly Attack[] = [
  ...rows('time', request, [['no signed time in this boot', 'wait', { facts: { now: null } }]]),
  ...rows('mode', request, [
    ['no site policy at all', 'people', { facts: { policy: null } }],
    ['the policy says off, its entry for the runbook says on', 'people', { facts: { policy: healing('off', 'on') } }],
    ['the policy says on, its entry for the runbook says off', 'people', { facts: { policy: healing('on', 'off') } }],
    ['the policy says on, the configuration off', 'people', { facts: { localMode: 'off' } }],
    [
      'an order for it while the policy says off',
      'people',
      { request: { authority: order }, facts: { policy: healing('off') } },
    ],
    ['the policy says dry run', 'dry_run', { facts: { policy: healing('dry_run') } }],
    ['dry run, and the entry for the runbook says on', 'dry_run', { facts: { policy: healing('dry_run', 'on') } }],
    ['on, and the configuration says dry run', 'dry_run', { facts: { localMode: 'dry_run' } }],
    ['an order that asks for a dry run', 'dry_run', { request: { authority: { ...order, dryRun: true } } }],
  ]),
  ...rows('limits', request, [
    [
      'a cool-down that makes flapping invisible',
      'refuse',
      { request: { limits: { ...DEFAULT_LIMITS, cooldownS: 2 * HOUR } } },
    ],
    ['no flap limit', 'refuse', { request: { limits: { ...DEFAULT_LIMITS, flap: [] } } }],
    ['a cool-down below zero', 'refuse', { request: { limits: { ...DEFAULT_LIMITS, cooldownS: -1 } } }],
    ['endless runs a day', 'refuse', { request: { limits: { ...DEFAULT_LIMITS, runsPerDay: Infinity } } }],
    ['a number that is none', 'refuse', { request: { limits: { ...DEFAULT_LIMITS, maxAttempts: Number.NaN } } }],
  ]),
  ...rows('journald', request, [
    ['restart of journald', 'refuse', { request: { units: ['systemd-journald.service'] } }],
    ['by its socket', 'refuse', { request: { units: ['systemd-journald-dev-log.socket'] } }],
    ['in other letters, with a blank', 'refuse', { request: { units: [' SystemD-Journald '] } }],
    ['hidden behind a harmless unit', 'refuse', { request: { units: ['vector.service', 'systemd-journald'] } }],
    ['a namespace of it', 'refuse', { request: { units: ['systemd-journald@clinic.service'] } }],
    ['a log forwarder may be restarted', 'act', { request: { units: ['vector.service'] } }],
  ]),
  ...rows('validation', request, [
    ['no content list', 'refuse', { facts: { content: null } }],
    ['a runbook that is not listed', 'refuse', { facts: { content: { ...content, files: [] } } }],
    ['the listed id with other bytes', 'refuse', { request: { runbook: { ...RUNBOOK, sha256: 'ee'.repeat(32) } } }],
    ['the listed bytes as another version', 'refuse', { request: { runbook: { ...RUNBOOK, version: 2 } } }],
    [
      'counted under another runbook, so that limits start anew',
      'refuse',
      { request: { subject: { ...request.subject, runbookId: 'RB-WIN-AV-999' } } },
    ],
    ['a list that lapsed', 'people', { facts: { content: { ...content, expires_at: NOON - 31 * DAY } } }],
    [
      'routine work under a list that is expired since today',
      'act',
      { facts: { content: { ...content, expires_at: NOON - 1 } } },
    ],
  ]),
  ...rows('validation', disruptive, [
    [
      'disruptive work under a list that is expired since a second',
      'people',
      { facts: { content: { ...content, expires_at: NOON } } },
    ],
  ]),
  ...rows('authority', request, [
    ['no grant', 'people', { facts: { content: { ...content, grants: [] } } }],
    ['a grant for another rule', 'people', { request: { authority: { ...RULE, id: 'other' } } }],
    ['the granted rule, changed since', 'people', { request: { authority: { ...RULE, sha256: 'ee'.repeat(32) } } }],
    [
      'the granted rule under another baseline',
      'people',
      { request: { authority: { ...RULE, baselineSha256: 'ee'.repeat(32) } } },
    ],
    [
      'a grant for other bytes of the runbook',
      'people',
      { facts: { content: grantedWith({ runbook: { ...RUNBOOK, sha256: 'ee'.repeat(32) } }) } },
    ],
    ['a grant in its last second plus one', 'people', { facts: { content: grantedWith({ not_after: NOON }) } }],
    [
      'a grant for the appliance, used on a target',
      'people',
      { facts: { content: grantedWith({ scope: 'appliance' }) } },
    ],
    [
      'a grant with a limit that nobody here knows',
      'people',
      { facts: { content: grantedWith({ limits: { per_week: 1 } }) } },
    ],
    [
      'a grant of one run a day, for the second',
      'wait',
      { facts: { content: grantedWith({ limits: { per_day: 1 } }), runs: [run(8 * HOUR)] }, until: NOON + 16 * HOUR },
    ],
    ['a grant of no runs', 'wait', { facts: { content: grantedWith({ limits: { per_day: 0 } }) } }],
    ['an order of class read for a routine runbook', 'refuse', { request: { authority: { ...order, class: 'read' } } }],
    [
      'an order of the right class needs no grant',
      'act',
      { request: { authority: order }, facts: { content: { ...content, grants: [] } } },
    ],
  ]),
  ...rows('authority', disruptive, [
    [
      'a routine grant for a disruptive runbook',
      'people',
      { facts: { content: { ...content, grants: content.grants.map((g) => ({ ...g, class: 'routine' as const })) } } },
    ],
    ['a routine order for a disruptive runbook', 'refuse', { request: { authority: order } }],
  ]),
  ...rows('trial', request, [
    ['a learnt rule that was demoted', 'people', { facts: { trial: { ...trial, state: 'demoted' } } }],
    [
      'a demoted rule in a dry run',
      'people',
      { facts: { trial: { ...trial, state: 'demoted' }, localMode: 'dry_run' } },
    ],
    [
      'a rule on trial on another target',
      'wait',
      { facts: { trial: { ...trial, targetId: 'pc-2' } }, until: NOON + HOUR },
    ],
    ['its target under another spelling', 'act', { facts: { trial: { ...trial, targetId: ' PC-1' } } }],
    ['the first target of a trial', 'act', { facts: { trial: { ...trial, targetId: null } } }],
    [
      'a rule on trial of which nobody was told',
      'wait',
      { facts: { trial: { ...trial, isTold: false } }, until: null },
    ],
    [
      'a rule that has passed its trial, on any target',
      'act',
      { facts: { trial: { ...trial, state: 'active', targetId: 'pc-2', isTold: false } } },
    ],
  ]),
  ...rows('epoch', request, [
    ['an epoch that nobody ordered', 'wait', { facts: { memory: 'lost' }, until: null }],
    [
      'a log that Central Command has not answered about since the start',
      'wait',
      { facts: { memory: 'unheard' }, until: null },
    ],
    [
      'critical drift in an epoch that nobody ordered',
      'wait',
      { request: { severity: 'critical' }, facts: { memory: 'lost' } },
    ],
    ['a dry run in an epoch that nobody ordered', 'dry_run', { facts: { memory: 'lost', localMode: 'dry_run' } }],
    [
      'an order of people in an epoch that nobody ordered',
      'act',
      { request: { authority: order }, facts: { memory: 'lost' } },
    ],
  ]),
  ...rows('pause', request, [
    ['paused by order', 'wait', { facts: { pausedUntil: { byOrder: NOON + HOUR, byHand: null } }, until: NOON + HOUR }],
    ['paused by hand on the appliance', 'wait', { facts: { pausedUntil: { byOrder: null, byHand: NOON + HOUR } } }],
    [
      'the order’s pause is over, the one by hand is not',
      'wait',
      { facts: { pausedUntil: { byOrder: NOON - 1, byHand: NOON + HOUR } }, until: NOON + HOUR },
    ],
    [
      'the shorter of two pauses is over first',
      'wait',
      { facts: { pausedUntil: { byOrder: NOON + 1, byHand: NOON + HOUR } }, until: NOON + HOUR },
    ],
    [
      'an order of people during a pause',
      'wait',
      { request: { authority: order }, facts: { pausedUntil: { byOrder: NOON + HOUR, byHand: null } } },
    ],
    [
      'critical drift during a pause',
      'wait',
      { request: { severity: 'critical' }, facts: { pausedUntil: { byOrder: NOON + HOUR, byHand: null } } },
    ],
    ['a pause that ended this second', 'act', { facts: { pausedUntil: { byOrder: NOON, byHand: null } } }],
  ]),
  ...rows('evidence', request, [
    ['the log takes no entry', 'wait', { facts: { evidenceReady: false } }],
    [
      'critical drift while the log takes no entry',
      'wait',
      { request: { severity: 'critical' }, facts: { evidenceReady: false } },
    ],
  ]),
  ...rows('interrupted', request, [
    [
      'a run without a result on the same target',
      'wait',
      { facts: { runs: [run(9 * HOUR, { outcome: null, endedAt: null })] } },
    ],
    [
      'of another runbook, before a crash',
      'wait',
      {
        facts: {
          runs: [
            run(9 * HOUR, {
              outcome: null,
              endedAt: null,
              key: run(0, { target: 'x' }).key,
              incidentKey: run(0, { target: 'x' }).incidentKey,
            }),
          ],
        },
      },
    ],
    [
      'an order that repeats what was cut off',
      'wait',
      { request: { authority: order }, facts: { runs: [run(9 * HOUR, { outcome: null, endedAt: null })] } },
    ],
  ]),
];
