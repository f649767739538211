// The orchestration of healing on its ports: a real store and log, a runner that is told what comes of its runs. For tests only.
import type { LoadedRunbook } from '../../agent/execution/load-runbook.ts';
import { recordEnd, recordIntent, type RunHead } from '../../agent/execution/record-run.ts';
import { ended, type RunResult } from '../../agent/execution/run-request.ts';
import type { HealingFacts } from '../../agent/guards/healing-facts.ts';
import { dueIncidents } from '../../agent/healing/due-incidents.ts';
import { noteFinding } from '../../agent/healing/incident-book.ts';
import { healIncident, type HealDeps, type HealingRun } from '../../agent/healing/heal-incident.ts';
import { blockedRunbooks, siteBreakers } from '../../agent/healing/healing-memory.ts';
import { healingRuns } from '../../agent/healing/healing-runs.ts';
import { incidentOf } from '../../agent/healing/incident-store.ts';
import type { Incident } from '../../agent/healing/incident.ts';
import { indexRules } from '../../agent/healing/rule-index.ts';
import { parseRule } from '../../agent/healing/rule.ts';
import { watched } from '../../agent/daemon/healing-deps.ts';
import type { ActionOutcome } from '../../agent/wire/schemas/primitives.ts';
import type { ErrorCode } from '../../agent/errors/codes.ts';
import type { Finding } from '../../agent/wire/schemas/finding.ts';
import { finding as anyFinding, statementsOf, type OpenLog } from './evidence-fixtures.ts';
import { content, facts as goodFacts, NOON } from './healing-fixtures.ts';

export const RUNBOOK = 'RB-WIN-AV-001';
export const ID = '019e0000-0000-7000-8000-0000000000c1';
const ruleYaml = (
  o: { id?: string; severity?: string; runs?: string; title?: string } = {},
): string => `schema: compliance-agent/rule/v1
id: ${o.id ?? 'av-off'}
version: 1
title: ${o.title ?? 'Switch it on again'}
platform: windows
when: { check: windows_av }
${o.runs ?? `runbook: ${RUNBOOK}`}
severity: ${o.severity ?? 'high'}
priority: 500
cooldown_s: 300
max_attempts: 2
controls: [{ map: hipaa-2013, cite: 164.312(b) }]
source: builtin
`;
export const ruleOf = (o: Parameters<typeof ruleYaml>[0] = {}) => parseRule(Buffer.from(ruleYaml(o)), 'rule.yaml');
export const LOADED = {
  sha256: 'aa'.repeat(32),
  bytes: Buffer.alloc(0),
  scripts: new Map(),
  runbook: {
    ...{ id: RUNBOOK, version: 1, platform: 'windows', check: 'windows_av', cooldown_s: 300, max_attempts: 3 },
    ...{ remediate: { by: 'script' }, rollback: { how: 'script' }, params: {} },
  },
} as unknown as LoadedRunbook;

export interface Lab extends OpenLog {
  at: number;
  facts: Partial<HealingFacts>;
  /** What is signed, as one text. */
  signed: string;
  rule: ReturnType<typeof ruleOf>;
  /** What the next runs come to; `null`: cut off after the intent. */
  readonly comes: (readonly [ActionOutcome, ErrorCode | null] | null)[];
  readonly ran: HealingRun[];
  /** What happens between the judgement and the run's intent. */
  meanwhile: () => void;
  see(result: Finding['result'], sentence?: string, readAt?: number): void;
  heal(): Promise<string>;
  incident(): Incident;
  story(): string[];
  entries(kind: 'incident' | 'action'): object[];
}

export const HEAD: Omit<RunHead, 'link'> = {
  target: { id: 'pc-1', role: 'workstation', os_build: null },
  controls: [],
  runbook: { id: RUNBOOK, version: 1, sha256: LOADED.sha256 },
  ...{ pre_state: {}, actions: [], plan_digest: null, rollback_available: true },
};

/** One incident of one machine over this log. */
export function lab(open: OpenLog): Lab {
  const { store, log } = open;
  let runs = 0;
  let last: Finding | null = null;
  const record: HealDeps['record'] = (incident, sentence) =>
    log.append('incident', {
      ...{ incident_id: incident.id, target: HEAD.target, check: { id: 'windows_av', version: 1 } },
      ...{ state: incident.state, sentence, opened_seq: incident.openedSeq, next_step_at: incident.nextStepAt },
    }).seq;
  const run = async ({ link, watch, dryRun }: HealingRun): Promise<RunResult> => {
    const looks: Finding[] = [];
    const recordFindings = (given: readonly Finding[]): void => void looks.push(...given);
    const deps = watched({ store, evidence: log, recordFindings }, watch);
    const [outcome, code] = self.comes.shift() ?? ['failed', 'runbook_detect_unknown'];
    const head = { ...HEAD, link };
    const result = ended(outcome, code, 'it came to that', 1);
    const end = { outcome, code, postState: null, used: null, actions: ['changed realtime from false to true'] };
    const isBefore = dryRun || ['rejected', 'dry_run'].includes(outcome) || code === 'runbook_detect_unknown';
    if (isBefore) {
      recordEnd(deps, null, head, { ...end, actions: [] }, self.at);
      return result;
    }
    runs += 1;
    const runId = `019e0000-0000-7000-8000-0000000001${String(runs).padStart(2, '0')}`;
    recordIntent(deps, { runId, action: 'remediate', snapshot: {}, at: self.at }, head);
    deps.recordFindings([]);
    recordEnd(deps, runId, head, end, self.at);
    return Promise.resolve(result);
  };
  let incidents = 0;
  const newId = (): string => ID.slice(0, -1) + String(++incidents);
  const bookDeps = () => ({ store, newId, index: indexRules([self.rule]), record });
  const waiting = dueIncidents();
  const self: Lab = {
    ...open,
    signed: 'policy 1',
    at: NOON,
    facts: {},
    rule: ruleOf(),
    comes: [],
    ran: [],
    meanwhile: () => undefined,
    see(result, sentence = 'protection is off', readAt = self.at) {
      last = anyFinding({
        ...{ target: HEAD.target, check: { id: 'windows_av', version: 1 }, result, sentence },
        ...{ facts: {}, facts_read_at: readAt, severity: 'high' },
      });
      noteFinding(bookDeps(), last, 0, self.at);
    },
    async heal() {
      const deps: HealDeps = {
        ...{ store, record, now: () => self.at, index: indexRules([self.rule]), finding: () => last },
        baselineSha256: () => 'dd'.repeat(32),
        runner: {
          held: (id) => (id === RUNBOOK ? LOADED : null),
          whyNotNow: () => null,
          run: (given) => {
            self.ran.push(given);
            self.meanwhile();
            return run(given);
          },
        },
        facts: (incident): HealingFacts => ({
          ...goodFacts,
          now: self.at,
          content: {
            ...content,
            grants: content.grants.map((grant) => ({ ...grant, rule: { id: 'av-off', sha256: self.rule.sha256 } })),
          },
          ...{ seenAt: incident.seenAt, recurredAt: incident.recurredAt, attemptsFrom: incident.attemptsFrom },
          deferredSince: incident.deferredSince,
          runs: healingRuns(store.runs.allSince(0), () => ({ checkId: 'windows_av', condition: 'av-off' })),
          siteBreakers: siteBreakers(store),
          blockedRunbooks: blockedRunbooks(store),
          ...self.facts,
        }),
      };
      const isOpen = store.incidents.due(['seen', 'waiting'], Number.MAX_SAFE_INTEGER).map(incidentOf);
      for (const one of waiting.of(isOpen, self.signed, self.at)) {
        if ((await healIncident(one, deps, new AbortController().signal)) !== 'not_yet')
          waiting.judged(one.id, self.signed);
      }
      return self.incident().state;
    },
    incident: () => incidentOf(store.incidents.get(ID)!),
    story: () => store.incidents.lines(ID).map(({ what }) => what),
    entries: (kind) =>
      statementsOf(store).flatMap(({ predicate }) => (predicate.kind === kind ? [predicate as object] : [])),
  };
  return self;
}

/** Drift that was seen twice, five minutes apart. */
export function drifted(open: OpenLog): Lab {
  const l = lab(open);
  l.see('fail');
  l.at += 300;
  l.see('fail');
  return l;
}
