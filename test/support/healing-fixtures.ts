// A healing action that every guard lets pass, to be changed in one thing at a time. For tests only.
import type { HealingFacts, HealingRequest, HealingRun } from '../../agent/guards/healing-facts.ts';
import { healingKeys } from '../../agent/guards/healing-keys.ts';
import { DEFAULT_LIMITS } from '../../agent/guards/healing-limits.ts';
import type { ContentList } from '../../agent/wire/schemas/content.ts';
import type { SitePolicy } from '../../agent/wire/schemas/site-policy.ts';

export const MINUTE = 60;
export const HOUR = 3_600;
export const DAY = 86_400;
/** Friday 2027-01-15 08:00 UTC. */
export const NOON = 1_800_000_000;

export const RUNBOOK = { id: 'RB-WIN-AV-001', version: 1, sha256: 'aa'.repeat(32) };
export const DISRUPTIVE = { id: 'RB-WIN-PATCH-001', version: 1, sha256: 'bb'.repeat(32) };
export const RULE = { by: 'rule', id: 'av-off', sha256: 'cc'.repeat(32), baselineSha256: 'dd'.repeat(32) } as const;
const file = (kind: 'runbook' | 'rule', ref: { id: string; sha256: string }, version: number) => ({
  ...{ path: `${kind}s/${ref.id}`, kind, id: ref.id, version, sha256: ref.sha256, size: 1 },
});
const grant = (
  runbook: typeof RUNBOOK,
  more: Partial<ContentList['grants'][number]> = {},
): ContentList['grants'][number] => ({
  schema: 'compliance-agent/standing-grant/v1',
  grant_id: `grant-${runbook.sha256.slice(0, 2)}`,
  rule: { id: RULE.id, sha256: RULE.sha256 },
  runbook,
  baseline_sha256: RULE.baselineSha256,
  class: 'routine',
  scope: 'targets',
  limits: {},
  not_after: NOON + 30 * DAY,
  ...more,
});

export const content: ContentList = {
  schema: 'compliance-agent/content-list/v1',
  partner_id: 'partner-1',
  version: 1,
  issued_at: NOON - 10 * DAY,
  expires_at: NOON + 30 * DAY,
  files: [
    { ...file('runbook', RUNBOOK, 1), class: 'routine' },
    { ...file('runbook', DISRUPTIVE, 1), class: 'disruptive' },
    file('rule', RULE, 1),
  ],
  grants: [grant(RUNBOOK), grant(DISRUPTIVE, { class: 'disruptive' })],
};

/** The same list with other grants in place of the ones for the routine runbook. */
export const grantedWith = (more: Partial<ContentList['grants'][number]>): ContentList => ({
  ...content,
  grants: [grant(RUNBOOK, more)],
});

export const policy: SitePolicy = {
  schema: 'compliance-agent/site-policy/v1',
  partner_id: 'partner-1',
  site_id: 'site-1',
  version: 1,
  issued_at: NOON - 10 * DAY,
  time_zone: 'UTC',
  // Open at NOON.
  windows: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], start: '07:00', end: '10:00' }],
  allow_disruptive_outside_window: false,
  healing: { mode: 'on', runbooks: [] },
  target_networks: [],
  waivers: [],
  outputs: [],
  llm: null,
  timestamp_authority: null,
  auto_confirm: [],
  confirmations: [],
  retention_years: 6,
};

export const request: HealingRequest = {
  subject: { targetId: 'pc-1', checkId: 'windows_av', condition: 'av-off', runbookId: RUNBOOK.id },
  runbook: RUNBOOK,
  severity: 'high',
  roles: { declared: 'workstation', detected: 'workstation' },
  units: [],
  authority: RULE,
  limits: DEFAULT_LIMITS,
};

/** The same for the disruptive runbook. */
export const disruptive: HealingRequest = {
  ...request,
  subject: { ...request.subject, runbookId: DISRUPTIVE.id },
  runbook: DISRUPTIVE,
};

export const facts: HealingFacts = {
  now: NOON,
  clockSound: true,
  policy,
  content,
  localWindow: null,
  localMode: 'on',
  pausedUntil: { byOrder: null, byHand: null },
  memory: 'whole',
  trial: null,
  evidenceReady: true,
  seenAt: [NOON - 10 * MINUTE, NOON],
  recurredAt: [],
  attemptsFrom: 0,
  deferredSince: null,
  runs: [],
  siteBreakers: new Map(),
  blockedRunbooks: new Set(),
};

/** A run of the request's runbook on its target for its incident, `ago` seconds before NOON and a minute long. */
export function run(ago: number, more: Partial<HealingRun> & { readonly target?: string } = {}): HealingRun {
  const { target = 'pc-1', ...rest } = more;
  const keys = healingKeys({ ...request.subject, targetId: target });
  return {
    ...{ key: keys.run, incidentKey: keys.incident, targetKey: keys.target, runbookId: RUNBOOK.id },
    ...{ domainController: false, startedAt: NOON - ago, endedAt: NOON - ago, outcome: 'success' as const },
    ...rest,
  };
}
