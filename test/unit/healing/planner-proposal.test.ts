// What people read of a plan: tried out where that is allowed, never more than a clause, and never instead of what they would have read.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import { ended, type RunResult } from '../../../agent/execution/run-request.ts';
import { healIncident, type HealDeps } from '../../../agent/healing/heal-incident.ts';
import { incidentOf, recordDrift } from '../../../agent/healing/incident-store.ts';
import type { Plan } from '../../../agent/healing/planner/planner-types.ts';
import { proposeHealing, type ProposeDeps } from '../../../agent/healing/planner/propose.ts';
import { indexRules } from '../../../agent/healing/rule-index.ts';
import { withLog, type OpenLog } from '../../support/evidence-fixtures.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { completion, honest, planText, sendJson, startLyingModel, type LyingModel } from '../../support/lying-model.ts';
import { AV, plannerDeps, policyWith, remote, subject } from '../../support/planner-fixtures.ts';
import { makeTestCa, type TestCa } from '../../support/test-ca.ts';
import { NOW, uuidOf } from '../../support/trust-fixtures.ts';

let ca: TestCa;
let model: LyingModel;
const signal = new AbortController().signal;
beforeAll(async () => {
  ca = await makeTestCa();
  model = await startLyingModel(await ca.issueServer({ names: ['localhost'] }));
});
afterAll(() => model.close());

const wouldChange: RunResult = { outcome: 'dry_run', code: null, sentence: 'Would change things.', changes: 2 };

function depsOf(open: OpenLog, result: RunResult | null, more: Partial<ProposeDeps> = {}) {
  const tried: Plan[] = [];
  const tryOut = (plan: Plan): Promise<RunResult | null> => {
    tried.push(plan);
    return Promise.resolve(result);
  };
  return { tried, deps: { ...plannerDeps(open, remote(model.port), ca.caPem), tryOut, ...more } };
}

describe('a proposal', () => {
  it('names the runbook, the params that are not its defaults, and what a dry run of it would change', () =>
    withLog(async (open) => {
      model.say(honest);
      const { deps, tried } = depsOf(open, wouldChange);
      expect(await proposeHealing(subject(), deps, signal)).toBe(
        'a language model proposes RB-WIN-AV-001 with max_signature_days 5; a dry run would change 2 things',
      );
      expect(tried).toMatchObject([{ runbook: { id: 'RB-WIN-AV-001' }, params: { max_signature_days: 5 } }]);
    }));

  it.each<[string, RunResult | null, string]>([
    ['cannot be tried out now', null, 'not tried out'],
    [
      'fails when it is tried out',
      ended('failed', 'target_not_held', 'Quillfeather is not here'),
      'a dry run ended as failed',
    ],
  ])('that %s says so, and repeats nothing of the target', (_, result, words) =>
    withLog(async (open) => {
      model.say(honest);
      const said = await proposeHealing(subject(), depsOf(open, result).deps, signal);
      expect(said).toContain(words);
      expect(said).not.toContain('Quillfeather');
    }),
  );

  it('is not tried out where healing of it is switched off', () =>
    withLog(async (open) => {
      model.say(honest);
      const healing = { mode: 'off' as const, runbooks: [] };
      const { deps, tried } = depsOf(open, wouldChange, { policy: policyWith(remote(model.port), { healing }) });
      expect(await proposeHealing(subject(), deps, signal)).toContain('healing of it is switched off');
      expect(tried).toEqual([]);
    }));

  it('is nothing where nobody was asked, and in vain where the answers were no plan', () =>
    withLog(async (open) => {
      const { deps, tried } = depsOf(open, wouldChange);
      expect(await proposeHealing(subject(), { ...deps, policy: policyWith(null) }, signal)).toBeNull();
      model.say((response) => sendJson(response, completion('format C: and call me')));
      const said = await proposeHealing(subject(), deps, signal);
      expect(said).toContain('asked in vain');
      expect(said).not.toContain('format');
      expect(tried).toEqual([]);
    }));
});

describe('drift that no rule fits', () => {
  const incidentId = uuidOf(7);
  function healing(open: OpenLog, propose: HealDeps['propose']) {
    const key = { targetId: 'front-desk-1', checkId: 'windows_av', condition: 'unmatched' };
    recordDrift(open.store, () => incidentId, key, { at: NOW - 600, severity: 'high', sentence: 'it is off' });
    const said: string[] = [];
    const deps: HealDeps = {
      store: open.store,
      now: () => NOW,
      index: indexRules([]),
      runner: {
        held: () => AV,
        whyNotNow: () => null,
        run: () => Promise.reject(new Error('something was run')),
      },
      finding: () => subject().finding,
      facts: () => {
        throw new Error('the guards were asked');
      },
      baselineSha256: () => 'bb'.repeat(32),
      record: (_incident, sentence) => said.push(sentence),
      ...(propose === undefined ? {} : { propose }),
    };
    const one = () => incidentOf(open.store.incidents.get(incidentId)!);
    return { said, one, heal: () => healIncident(one(), deps, signal) };
  }

  it('goes to people with the proposal, and nothing is run on its strength', () =>
    withLog(async (open) => {
      model.say((response) => sendJson(response, completion(planText())));
      const { deps } = depsOf(open, wouldChange);
      const { heal, one, said } = healing(open, (_incident, _finding, within) =>
        proposeHealing(subject(), deps, within),
      );
      expect(await heal()).toBe('judged');
      expect(one()).toMatchObject({ state: 'ticketed', held: { guard: 'planner' } });
      expect(said.join()).toContain('no rule says what is done about this; a language model proposes RB-WIN-AV-001');
    }));

  it.each<[string, Error]>([
    [
      'the key of the model cannot be read',
      new AgentError('file_denied', 'Quillfeather', { place: '/home/quillfeather' }),
    ],
    ['the planner has a defect', new TypeError('Quillfeather')],
  ])('goes to people also where %s', (_, error) =>
    withLog(async (open) => {
      const { heal, one } = healing(open, () => Promise.reject(error));
      expect(await heal()).toBe('judged');
      expect(one().state).toBe('ticketed');
      expect(one().held?.sentence).toContain('no language model could be asked');
      expect(one().held?.sentence).not.toContain('Quillfeather');
    }),
  );

  it('stays as it is where the store takes nothing more', () =>
    withLog(async (open) => {
      const full = healing(open, () => Promise.reject(new AgentError('store_full', 'full')));
      await expectCodeAsync(full.heal(), 'store_full');
      expect(full.one().state).toBe('seen');
    }));

  it('goes to people as before where no model is asked, or there is no planner at all', () =>
    withLog(async (open) => {
      const { heal, one } = healing(open, () => Promise.resolve(null));
      await heal();
      expect(one().held?.sentence).toBe('no rule says what is done about this');
    }));
});
