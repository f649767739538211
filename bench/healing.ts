// What an incident costs an appliance, without its target: drift is recorded and looked up among the rules, judged by every guard, run by
// a runner that is done at once, verified, and closed; each step in the log and in the store on the disk. And how long it takes
// from the look that finds drift to the result that is verified, with the real daemon and a Windows server of the lab.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { watched } from '../agent/daemon/healing-deps.ts';
import { recordEnd, recordIntent } from '../agent/execution/record-run.ts';
import { ended } from '../agent/execution/run-request.ts';
import { healIncident, type HealDeps } from '../agent/healing/heal-incident.ts';
import { healingRuns, RUNS_COUNT_FOR_S } from '../agent/healing/healing-runs.ts';
import { blockedRunbooks, siteBreakers } from '../agent/healing/healing-memory.ts';
import { noteFinding } from '../agent/healing/incident-book.ts';
import { incidentOf } from '../agent/healing/incident-store.ts';
import { indexRules } from '../agent/healing/rule-index.ts';
import { createIds } from '../agent/system/ids.ts';
import { systemClock } from '../agent/system/clock.ts';
import type { Finding } from '../agent/wire/schemas/finding.ts';
import { until } from '../tools/demo/process.ts';
import { createSite } from '../tools/demo/site.ts';
import { healingHost } from '../test/lab/healing-host.ts';
import { startWinRmServer } from '../test/lab/winrm-server/start-winrm-server.ts';
import { finding as anyFinding, openLog } from '../test/support/evidence-fixtures.ts';
import { content, facts as goodFacts, NOON } from '../test/support/healing-fixtures.ts';
import { HEAD, LOADED, RUNBOOK, ruleOf } from '../test/support/heal-lab.ts';
import { ACCOUNT, healingSite, WINDOWS } from '../test/support/healing-site.ts';
import { rowOf, type BenchRow } from './bench-row.ts';

const repo = join(import.meta.dirname, '..');
const SIZES = [250, 1_000];
const RUNS = 5;
const TARGETS = 25;
/** Between two incidents: within an hour a second target would open the breaker of the site. */
const APART_S = 3_700;
const TWO_LOOKS_S = 300;
const PATIENCE_MS = 60_000;
/** What the runbooks of the lab are signed with (test/support/healing-site.ts): the change has to hold for so long. */
const STABLE_FOR_MS = 1_000;

export async function benchHealing({ smoke = false } = {}): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const count of smoke ? [5] : SIZES) {
    const perSecond: number[] = [];
    const held: number[] = [];
    for (let run = 0; run < (smoke ? 1 : RUNS); run += 1) {
      perSecond.push(await incidents(count, false));
      held.push(await incidents(count, true));
    }
    rows.push(
      rowOf(`incidents from drift to healed, ${count.toLocaleString('en')} in one log`, '/s', perSecond),
      rowOf(`incidents from drift to held back, ${count.toLocaleString('en')} in one log`, '/s', held),
    );
  }
  return [...rows, ...(await foundToVerified(smoke ? 1 : 3))];
}

/** @returns how many a second */
async function incidents(count: number, paused: boolean): Promise<number> {
  const dir = mkdtempSync(join(import.meta.dirname, '.healing-'));
  const open = openLog(dir);
  const { store, log } = open;
  const ids = createIds(systemClock);
  const rule = ruleOf();
  const index = indexRules([rule]);
  let at = NOON;
  let last: Finding | null = null;
  const grants = content.grants.map((grant) => ({
    ...grant,
    rule: { id: 'av-off', sha256: rule.sha256 },
    not_after: NOON + count * 2 * APART_S,
  }));
  const list = { ...content, expires_at: NOON + count * 2 * APART_S, grants };
  const record: HealDeps['record'] = (incident, sentence) =>
    log.append('incident', {
      ...{ incident_id: incident.id, target: { ...HEAD.target, id: incident.targetId } },
      ...{ check: { id: 'windows_av', version: 1 }, state: incident.state, sentence },
      ...{ opened_seq: incident.openedSeq, next_step_at: incident.nextStepAt },
    }).seq;
  const deps: HealDeps = {
    ...{ store, record, index, now: () => at, finding: () => last, baselineSha256: () => 'dd'.repeat(32) },
    facts: ({ seenAt, recurredAt, attemptsFrom, deferredSince }) => ({
      ...{ ...goodFacts, now: at, content: list, seenAt, recurredAt, attemptsFrom, deferredSince },
      pausedUntil: { byOrder: paused ? at + APART_S : null, byHand: null },
      runs: healingRuns(store.runs.allSince(at - RUNS_COUNT_FOR_S), (id) => {
        const row = store.incidents.get(id);
        return row === null ? null : incidentOf(row);
      }),
      siteBreakers: siteBreakers(store),
      blockedRunbooks: blockedRunbooks(store),
    }),
    runner: {
      held: (id) => (id === RUNBOOK ? LOADED : null),
      whyNotNow: () => null,
      run({ link, watch, targetId }) {
        const own = watched({ store, evidence: log, recordFindings: () => undefined }, watch);
        const head = { ...HEAD, target: { ...HEAD.target, id: targetId }, link };
        const runId = ids.uuidv7();
        recordIntent(own, { runId, action: 'remediate', snapshot: {}, at }, head);
        own.recordFindings();
        recordEnd(own, runId, head, { outcome: 'success', code: null, postState: null, used: null }, at);
        return Promise.resolve(ended('success', null, 'a look of its own saw it', 1));
      },
    },
  };
  const see = (target: string, result: Finding['result']): void => {
    const seen = anyFinding({
      ...{ target: { ...HEAD.target, id: target }, check: { id: 'windows_av', version: 1 }, result, severity: 'high' },
      ...{ sentence: 'real-time protection is off', facts: {}, facts_read_at: at },
    });
    last = seen;
    store.unit(() => {
      const { observed_from: observedFrom, observed_to: observedTo, ...body } = seen;
      const { seq } = log.append('finding', { ...body, previous_result: null }, { observedFrom, observedTo });
      noteFinding({ store, newId: () => ids.uuidv7(), index, record }, seen, seq, at);
    });
  };
  try {
    const begin = performance.now();
    for (let n = 0; n < count; n += 1) {
      const target = `pc-${n % TARGETS}`;
      see(target, 'fail');
      at += TWO_LOOKS_S;
      see(target, 'fail');
      const row = store.incidents.find(target, 'windows_av', 'av-off');
      if (row === null) throw new Error('drift opened no incident');
      await healIncident(incidentOf(row), deps, new AbortController().signal);
      const { state } = incidentOf(store.incidents.get(row.incidentId)!);
      if (state !== (paused ? 'waiting' : 'healed')) throw new Error(`an incident is ${state}`);
      at += APART_S - TWO_LOOKS_S;
      see(target, 'pass');
    }
    return (count * 1_000) / (performance.now() - begin);
  } finally {
    store.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * Drift of a critical kind, for which one look is enough, from the look that meets it on. Seen within a tenth of a second; checks run
 * every two seconds here.
 */
async function foundToVerified(heals: number): Promise<BenchRow[]> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-healing-'));
  const site = createSite({ dir, repo });
  const host = healingHost({ firewall: true, logging: true, av: true });
  const healing = healingSite(site, dir, repo);
  const machine = await startWinRmServer({ users: [ACCOUNT], handler: host.handler });
  const times: number[] = [];
  try {
    await site.provision();
    site.startAgent();
    await site.confirm();
    await healing.addTarget(machine.port);
    await healing.signContent(['firewall', 'logging', 'av']);
    await healing.signPolicy({ windows: WINDOWS.open(), healing: '{ mode: on, runbooks: [] }' });
    let foundMs = 0;
    for (const part of (['av', 'firewall', 'logging'] as const).slice(0, heals)) {
      host.during = (at, phase) => {
        if (at === part && phase === 'detect' && !host.good[part] && foundMs === 0) foundMs = performance.now();
        return Promise.resolve();
      };
      foundMs = 0;
      host.good[part] = false;
      await healing.untilState(part, 'healed', PATIENCE_MS);
      times.push(performance.now() - foundMs - STABLE_FOR_MS);
    }
    await until('no shell is left', () => (machine.liveShells === 0 ? true : null), PATIENCE_MS);
  } finally {
    await site.end();
    await machine.close();
    rmSync(dir, { recursive: true, force: true });
  }
  return [rowOf('drift found to verified on a Windows server of the lab, beside the time it has to hold', 'ms', times)];
}
