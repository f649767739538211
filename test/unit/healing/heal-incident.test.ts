// The orchestration of healing on its ports: a real store and log, a runner that is told what comes of its runs.
import { describe, expect, it } from 'vitest';
import type { LoadedRunbook } from '../../../agent/execution/load-runbook.ts';
import { recordEnd, recordIntent, type RunHead } from '../../../agent/execution/record-run.ts';
import { ended, type RunResult } from '../../../agent/execution/run-request.ts';
import type { HealingFacts } from '../../../agent/guards/healing-facts.ts';
import { dueIncidents } from '../../../agent/healing/due-incidents.ts';
import { noteFinding } from '../../../agent/healing/incident-book.ts';
import { healIncident, type HealDeps, type HealingRun } from '../../../agent/healing/heal-incident.ts';
import { atNewGrounds, blockedRunbooks, closeBreakers, siteBreakers } from '../../../agent/healing/healing-memory.ts';
import { healingRuns } from '../../../agent/healing/healing-runs.ts';
import { incidentOf } from '../../../agent/healing/incident-store.ts';
import type { Incident } from '../../../agent/healing/incident.ts';
import { indexRules } from '../../../agent/healing/rule-index.ts';
import { parseRule } from '../../../agent/healing/rule.ts';
import { watched } from '../../../agent/daemon/healing-deps.ts';
import type { ActionOutcome } from '../../../agent/wire/schemas/primitives.ts';
import type { ErrorCode } from '../../../agent/errors/codes.ts';
import type { Finding } from '../../../agent/wire/schemas/finding.ts';
import {
  finding as anyFinding,
  statementsOf,
  verdictOn,
  withLog,
  type OpenLog,
} from '../../support/evidence-fixtures.ts';
import { content, facts as goodFacts, NOON, policy } from '../../support/healing-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';

const RUNBOOK = 'RB-WIN-AV-001';
const ID = '019e0000-0000-7000-8000-0000000000c1';
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
const ruleOf = (o: Parameters<typeof ruleYaml>[0] = {}) => parseRule(Buffer.from(ruleYaml(o)), 'rule.yaml');
const LOADED = {
  sha256: 'aa'.repeat(32),
  bytes: Buffer.alloc(0),
  scripts: new Map(),
  runbook: {
    ...{ id: RUNBOOK, version: 1, platform: 'windows', check: 'windows_av', cooldown_s: 300, max_attempts: 3 },
    ...{ remediate: { by: 'script' }, rollback: { how: 'script' }, params: {} },
  },
} as unknown as LoadedRunbook;

interface Lab extends OpenLog {
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
  see(result: Finding['result'], sentence?: string): void;
  heal(): Promise<string>;
  incident(): Incident;
  story(): string[];
  entries(kind: 'incident' | 'action'): object[];
}

const HEAD: Omit<RunHead, 'link'> = {
  target: { id: 'pc-1', role: 'workstation', os_build: null },
  controls: [],
  runbook: { id: RUNBOOK, version: 1, sha256: LOADED.sha256 },
  ...{ pre_state: {}, actions: [], plan_digest: null, rollback_available: true },
};

function lab(open: OpenLog): Lab {
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
  const bookDeps = () => ({ store, newId, index: indexRules([self.rule]), siteTargets: 1, record });
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
    see(result, sentence = 'protection is off') {
      last = anyFinding({
        ...{ target: HEAD.target, check: { id: 'windows_av', version: 1 }, result, sentence },
        ...{ facts: {}, facts_read_at: self.at, severity: 'high' },
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
function drifted(open: OpenLog): Lab {
  const l = lab(open);
  l.see('fail');
  l.at += 300;
  l.see('fail');
  return l;
}

describe('healing one incident', () => {
  it('waits for a second look, acts with intent and result under its incident, and is healed by a look of its own', () =>
    withLog(async (open) => {
      const l = lab(open);
      l.see('fail');
      expect(await l.heal()).toBe('waiting');
      l.at += 300;
      l.see('fail');
      l.comes.push(['success', null]);
      expect(await l.heal()).toBe('healed');
      expect(l.story()).toEqual(['seen', 'waiting', 'acting', 'verifying', 'healed']);
      for (const line of open.store.incidents.lines(ID)) expect(line.evidenceSeq).not.toBeNull();
      expect(l.entries('action')).toMatchObject([
        { phase: 'intent', incident_id: ID },
        { phase: 'result', incident_id: ID, outcome: 'success' },
      ]);
      expect(l.entries('incident')).toContainEqual(
        expect.objectContaining({
          state: 'acting',
          sentence: 'the rule av-off and the grant grant-aa let RB-WIN-AV-001 be run',
        }),
      );
      expect(verdictOn(open.store).ok).toBe(true);
    }));

  it('pauses after a run that did not hold, tries again, and gives up to people after as many as its rule allows', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.comes.push(['reverted', 'runbook_reverted'], ['failed', 'runbook_not_verified']);
      expect(await l.heal()).toBe('seen');
      expect(await l.heal()).toBe('waiting');
      expect(l.incident().held?.guard).toBe('attempts');
      l.at = l.incident().nextStepAt ?? 0;
      await l.heal();
      l.at += 3_600;
      expect(await l.heal()).toBe('ticketed');
      expect(l.ran).toHaveLength(2);
      expect(l.incident().held).toMatchObject({ guard: 'attempts', sentence: '2 runs failed' });
    }));

  it('stops a runbook everywhere after a rollback that failed, until two persons enable healing', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.comes.push(['failed', 'runbook_rollback_failed']);
      expect(await l.heal()).toBe('ticketed');
      expect(blockedRunbooks(open.store)).toEqual(new Set([RUNBOOK]));
      expect(closeBreakers(open.store)).toBe(1);
      expect(blockedRunbooks(open.store).size).toBe(0);
    }));

  it.each([
    ['healing is paused by hand', 'pause', () => ({ pausedUntil: { byOrder: null, byHand: NOON + 7_200 } })],
    ['the grant is taken back', 'authority', () => ({ content: { ...content, grants: [] } })],
    ['another log contradicts its own', 'evidence', () => ({ evidenceReady: false })],
  ] as const)('changes nothing where %s while the run waits for its target and looks', (_what, guard, then) =>
    withLog(async (open) => {
      const l = drifted(open);
      l.meanwhile = () => (l.facts = then());
      l.comes.push(['success', null]);
      await l.heal();
      expect([l.ran.length, l.entries('action'), open.store.runs.allSince(0)]).toEqual([1, [], []]);
      await l.heal();
      expect([l.ran.length, l.incident().held?.guard]).toEqual([1, guard]);
    }),
  );

  it('calls nothing healed that goes on by itself while the check fails in another way', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.comes.push(['deferred', 'runbook_started']);
      expect(await l.heal()).toBe('verifying');
      l.rule = ruleOf({ id: 'av-other' });
      l.at += 3_600;
      l.see('fail', 'something else is off');
      expect([l.incident().state, l.story()]).toEqual(['verifying', expect.not.arrayContaining(['healed'])]);
      l.at += 86_400;
      l.see('fail', 'something else is off');
      expect(l.story().slice(-2)).toEqual(['failed', 'passing']);
    }));

  it('only says what it would do in a dry run, and that is no heal and no attempt', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.facts = { policy: { ...policy, healing: { mode: 'dry_run', runbooks: [] } } };
      l.comes.push(['dry_run', 'runbook_dry_run']);
      expect(await l.heal()).toBe('ticketed');
      expect(l.ran.map(({ dryRun }) => dryRun)).toEqual([true]);
      expect(l.story().at(-1)).toBe('dry_run');
      expect(open.store.runs.allSince(0)).toEqual([]);
      expect(l.entries('action')).toMatchObject([{ phase: 'result', outcome: 'dry_run' }]);
    }));

  it('goes on by itself where a run left something to be done on the target: later looks say what came of it', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.comes.push(['deferred', 'runbook_started']);
      expect(await l.heal()).toBe('verifying');
      l.at += 3_600;
      l.see('fail');
      expect(l.incident().state).toBe('verifying');
      l.at += 3_600;
      l.see('pass');
      expect(l.incident().state).toBe('healed');
      l.at += 60;
      l.see('fail');
      l.at += 300;
      l.see('fail');
      l.comes.push(['deferred', 'runbook_started']);
      expect(await l.heal()).toBe('verifying');
      l.at += 86_400;
      l.see('fail');
      expect(l.story().at(-1)).toBe('failed');
    }));

  it.each([
    ['nothing fits the machine', ['rejected', 'runbook_not_applicable'], 'ticketed'],
    ['the target could not be read', ['failed', 'runbook_detect_unknown'], 'waiting'],
    ['something else manages it', ['alert', 'runbook_managed_elsewhere'], 'ticketed'],
  ] as const)('where %s: nothing is tried again blindly', (_what, comes, state) =>
    withLog(async (open) => {
      const l = drifted(open);
      l.comes.push(comes);
      await l.heal();
      expect(l.incident().state).toBe(state);
      await l.heal();
      expect(l.ran).toHaveLength(1);
    }),
  );

  it.each([
    ['no rule', { runs: 'alert: somebody has to look' }, 'rule'],
    ['a runbook that is not held', { runs: 'runbook: RB-WIN-AV-002' }, 'validation'],
  ])('goes to people with %s', (_what, rule, guard) =>
    withLog(async (open) => {
      const l = lab(open);
      l.rule = ruleOf(rule);
      l.see('fail');
      expect(await l.heal()).toBe('ticketed');
      expect([l.incident().held?.guard, l.ran]).toEqual([guard, []]);
    }),
  );

  it('is judged by another policy as soon as it can be, also where its target was away when that came', () =>
    withLog(async (open) => {
      const l = drifted(open);
      const later = l.at + 86_400;
      l.facts = { pausedUntil: { byOrder: later, byHand: null } };
      expect(await l.heal()).toBe('waiting');
      expect(l.incident().nextStepAt).toBe(later);
      l.facts = {};
      l.at += 5;
      expect(await l.heal()).toBe('waiting');
      l.signed = 'policy 2';
      l.see('unknown', 'it does not answer');
      expect(await l.heal()).toBe('waiting');
      l.at += 5;
      l.see('fail');
      l.comes.push(['success', null]);
      expect(await l.heal()).toBe('healed');
    }));

  it('begins nothing where the run itself finds that the drift is gone before the change', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.comes.push(['success', null]);
      const { store } = open;
      // A look of the run's own passes before the intent is written.
      const before = l.ran.push.bind(l.ran);
      l.ran.push = (...given) => {
        l.see('pass');
        return before(...given);
      };
      expect(await l.heal()).toBe('passing');
      expect(store.runs.allSince(0)).toEqual([]);
      expect(l.entries('action')).toEqual([]);
      // What is thrown inside the unit of the intent, so that nothing is begun.
      expectCode(() => l.ran[0]!.watch.begins(), 'incident_overtaken');
    }));
});

describe('what a finding does to its incidents', () => {
  it('drift that a changed rule fits is judged anew, and its earlier attempts no longer count', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.facts = { policy: { ...policy, healing: { mode: 'off', runbooks: [] } } };
      expect(await l.heal()).toBe('ticketed');
      l.rule = ruleOf({ title: 'Another version of it' });
      l.at += 60;
      l.see('fail');
      expect(l.incident()).toMatchObject({ state: 'seen', attemptsFrom: l.at, seenAt: [l.at] });
      expect(l.story()).toEqual(['seen', 'ticketed', 'rearmed']);
    }));

  it('what passes for 24 hours is closed with an entry, what is unknown meanwhile begins them anew', () =>
    withLog((open) => {
      const l = lab(open);
      l.see('fail');
      l.see('pass');
      l.at += 80_000;
      l.see('unknown');
      l.at += 80_000;
      l.see('pass');
      expect(l.incident().state).toBe('passing');
      l.at += 86_400;
      l.see('pass');
      expect(l.incident().state).toBe('closed');
      expect(l.entries('incident').at(-1)).toMatchObject({ state: 'closed' });
    }));

  it('the second look makes drift one that needs its runbook, and two machines within an hour open the breaker', () =>
    withLog((open) => {
      const l = lab(open);
      l.see('fail');
      expect(siteBreakers(open.store).get(RUNBOOK)).toBeUndefined();
      l.at += 300;
      l.see('fail');
      expect(siteBreakers(open.store).get(RUNBOOK)).toMatchObject({ openedAt: null, needs: [{ targetId: 'pc-1' }] });
      const other = anyFinding({
        ...{ target: { ...HEAD.target, id: 'pc-2' }, check: { id: 'windows_av', version: 1 }, result: 'fail' },
        ...{ facts: {}, sentence: 'protection is off' },
      });
      const deps = {
        ...{ store: open.store, newId: () => '019e0000-0000-7000-8000-0000000000c2', siteTargets: 25 },
        ...{ index: indexRules([l.rule]), record: () => 0 },
      };
      for (const later of [0, 300]) noteFinding(deps, other, 0, l.at + later);
      expect(siteBreakers(open.store).get(RUNBOOK)?.openedAt).toBe(l.at + 300);
    }));

  it('another policy or content list is noticed once, and again where what follows from it was cut off', () =>
    withLog(({ store }) => {
      const dies = (): never => expect.fail('killed');
      expect(() => atNewGrounds(store, 'a', dies)).toThrow('killed');
      const noticed: string[] = [];
      for (const grounds of ['a', 'a', 'b']) atNewGrounds(store, grounds, () => noticed.push(grounds));
      expect(noticed).toEqual(['a', 'b']);
    }));
});
