// What asking a language model may cost, when none is asked, and what a second one is asked.
import { describe, expect, it } from 'vitest';
import { KEEP_CALLS_S, planHealing } from '../../../agent/healing/planner/plan-healing.ts';
import type { PlannerDeps } from '../../../agent/healing/planner/planner-types.ts';
import { openLog, withDir, withLog } from '../../support/evidence-fixtures.ts';
import { completion, planText, sendJson, startLyingModel } from '../../support/lying-model.ts';
import { actionsOf, codeOf, message, plannerEndpoint } from '../../support/planner-endpoint.ts';
import { AV, content, plannerDeps, type policyWith, remote, subject } from '../../support/planner-fixtures.ts';

const endpoint = plannerEndpoint();
const { sent, depsOf } = endpoint;
const signal = new AbortController().signal;

describe('what is spent', () => {
  it('is charged before the request: a call that its process did not survive stays charged and its finding is not asked again', () =>
    withDir(async (dir) => {
      const one = openLog(dir);
      const stop = new AbortController();
      endpoint.model.say(() => stop.abort(new Error('the process ends')));
      await expect(planHealing(subject(), depsOf(one), stop.signal)).rejects.toThrow('the process ends');
      one.store.close();
      const open = openLog(dir, one.clock);
      expect(open.store.planner.since(0)).toMatchObject([{ state: 'asked', code: null }]);
      expect(open.store.planner.since(0)[0]!.tokens).toBeGreaterThan(2_000);
      expect(codeOf(await planHealing(subject(), depsOf(open), signal))).toBe('planner_asked_before');
      expect(actionsOf(open)).toMatchObject([{ phase: 'intent' }]);
      open.store.close();
    }));

  it('of money ends at what the signed policy allows for a day, whatever the endpoint says that it cost', () =>
    withLog(async (open) => {
      const llm = remote(endpoint.model.port, { money_per_day_cents: 2, cents_per_million_tokens: 160 });
      endpoint.model.say((response) => sendJson(response, completion(planText(), { usage: { total_tokens: -5 } })));
      const codes: string[] = [];
      for (let n = 0; n < 6; n++) {
        const about = subject({ target: { id: `pc-${n}`, role: 'workstation', os_build: null } });
        codes.push(codeOf(await planHealing(about, plannerDeps(open, llm, endpoint.ca.caPem), signal)));
      }
      const plans = codes.filter((code) => code === 'plan').length;
      expect(plans).toBeGreaterThan(0);
      expect(codes.slice(plans).every((code) => code === 'planner_budget_spent')).toBe(true);
      const micro = open.store.planner.since(0).reduce((sum, { microCents }) => sum + microCents, 0);
      expect(micro).toBeLessThanOrEqual(2_000_000);
      expect(sent()).toBe(plans);
    }));

  it('that an endpoint claims above the estimate counts as claimed', () =>
    withLog(async (open) => {
      endpoint.model.say((response) =>
        sendJson(response, completion(planText(), { usage: { total_tokens: 399_000 } })),
      );
      expect(codeOf(await planHealing(subject(), depsOf(open), signal))).toBe('plan');
      const other = subject({ target: { id: 'pc-2', role: 'workstation', os_build: null } });
      expect(codeOf(await planHealing(other, depsOf(open), signal))).toBe('planner_budget_spent');
    }));

  it('of calls ends within an hour and within a day', () =>
    withLog(async (open) => {
      const codes: string[] = [];
      const limits = { callsPerHour: 3, callsPerDay: 5 };
      for (let n = 0; n < 12; n++) {
        const about = subject({ target: { id: `pc-${n}`, role: 'workstation', os_build: null } });
        codes.push(codeOf(await planHealing(about, depsOf(open, { limits }), signal)));
        if (n === 5) await open.clock.advance(3_600_000);
      }
      expect(codes.filter((code) => code === 'plan')).toHaveLength(5);
      expect(codes.slice(3, 6)).toEqual(Array(3).fill('planner_budget_spent'));
      expect(codes.slice(8)).toEqual(Array(4).fill('planner_budget_spent'));
    }));

  it('on texts stays for thirty days and then goes', () =>
    withLog(async (open) => {
      await planHealing(subject(), depsOf(open), signal);
      const { callId } = open.store.planner.since(0)[0]!;
      expect(open.store.planner.texts(callId)).toMatchObject({ prompt: endpoint.model.seen.at(-1)!.body });
      const later = subject({ target: { id: 'pc-2', role: 'workstation', os_build: null } });
      await open.clock.advance(KEEP_CALLS_S * 1_000);
      const fresh = { ...content, expires_at: content.expires_at + KEEP_CALLS_S };
      await planHealing(later, depsOf(open, { content: fresh }), signal);
      expect(open.store.planner.texts(callId)).not.toBeNull();
      await open.clock.advance(1_000);
      await planHealing(later, depsOf(open, { content: fresh }), signal);
      expect(open.store.planner.texts(callId)).toBeNull();
    }));
});

describe('nothing is asked', () => {
  const off: readonly (readonly [string, Parameters<typeof policyWith>[0]])[] = [
    ['without a model in the signed policy', null],
    ['of a remote model without a business associate agreement', { ...remote(1), baa_id: undefined }],
    ['of a remote model without a price', { ...remote(1), cents_per_million_tokens: undefined }],
    ['of two models where the policy names one', remote(1, { provider: 'hybrid' })],
  ];
  it.each(off)('%s', (_, llm) =>
    withLog(async (open) => {
      const result = await planHealing(subject(), plannerDeps(open, llm, endpoint.ca.caPem), signal);
      expect(result).toMatchObject({ kind: 'people', code: 'planner_off', asked: false });
      expect(open.store.planner.since(0)).toEqual([]);
    }),
  );

  it('without signed time, without a policy, and about what is no drift', () =>
    withLog(async (open) => {
      const ask = (more: Partial<PlannerDeps>, what = subject()) => planHealing(what, depsOf(open, more), signal);
      expect(codeOf(await ask({ now: () => null }))).toBe('planner_off');
      expect(codeOf(await ask({ policy: null }))).toBe('planner_off');
      expect(codeOf(await ask({}, subject({ result: 'unknown' })))).toBe('planner_off');
      expect(sent()).toBe(0);
    }));

  it('where no listed runbook changes what the check finds: none here, not listed, a lapsed list, or none that changes anything', () =>
    withLog(async (open) => {
      const ask = (more: Partial<PlannerDeps>, what = subject()) => planHealing(what, depsOf(open, more), signal);
      const none = 'planner_no_runbook';
      expect(codeOf(await ask({ runbooks: [] }))).toBe(none);
      expect(codeOf(await ask({ content: { ...content, files: [] } }))).toBe(none);
      expect(codeOf(await ask({ content: { ...content, expires_at: content.issued_at + 1 - 31 * 86_400 } }))).toBe(
        none,
      );
      expect(codeOf(await ask({}, subject({ check: { id: 'windows_encryption', version: 1 } })))).toBe(none);
      expect(sent()).toBe(0);
    }));

  it('about a finding of which nobody has said what may leave', () =>
    withLog(async (open) => {
      const loaded = { ...AV, runbook: { ...AV.runbook, check: 'windows_new' } };
      const what = subject({ check: { id: 'windows_new', version: 1 } });
      expect(codeOf(await planHealing(what, depsOf(open, { runbooks: [loaded] }), signal))).toBe(
        'planner_input_refused',
      );
      expect([sent(), open.store.planner.since(0)]).toEqual([0, []]);
    }));

  it('of a model in the building that lies elsewhere', () =>
    withLog(async (open) => {
      const away = { ...remote(443), provider: 'local' as const, host: '203.0.113.7' };
      expect(codeOf(await planHealing(subject(), plannerDeps(open, away, endpoint.ca.caPem), signal))).toBe(
        'planner_unavailable',
      );
      expect(open.store.planner.since(0)).toMatchObject([{ tokens: 0 }]);
    }));
});

describe('two models', () => {
  const both = (localPort: number): ReturnType<typeof remote> =>
    remote(endpoint.model.port, {
      provider: 'hybrid',
      model: 'large-4',
      path: '/openai/v1/chat/completions',
      auth: 'api_key',
      local: { host: '127.0.0.1', port: localPort, model: 'small-2.1', credential: 'local_key' },
    });

  it('the one in the building is asked first, and the remote one only where it gives no answer', () =>
    withLog(async (open) => {
      const local = await startLyingModel(await endpoint.ca.issueServer({ ips: ['127.0.0.1'] }));
      try {
        expect(
          await planHealing(subject(), plannerDeps(open, both(local.port), endpoint.ca.caPem), signal),
        ).toMatchObject({
          kind: 'plan',
        });
        expect([local.seen.length, sent()]).toEqual([1, 0]);
        expect(local.seen[0]!.body).toContain('"max_tokens"');
        local.say((response) => sendJson(response, {}, 503));
        const other = subject({ target: { id: 'pc-2', role: 'workstation', os_build: null } });
        expect(await planHealing(other, plannerDeps(open, both(local.port), endpoint.ca.caPem), signal)).toMatchObject({
          kind: 'plan',
        });
        expect([local.seen.length, sent()]).toEqual([2, 1]);
        expect(endpoint.model.seen.at(-1)).toMatchObject({
          url: '/openai/v1/chat/completions',
          headers: { 'api-key': 'sk-test-key' },
        });
        // What the one in the building cost is no money.
        const costs = open.store.planner.since(0).map(({ endpoint, microCents }) => [endpoint, microCents > 0]);
        expect(costs.toSorted()).toEqual([
          ['local', false],
          ['local', false],
          ['remote', true],
        ]);
      } finally {
        await local.close();
      }
    }));

  it('that both answer wrong, once each or one twice, end with people after two', () =>
    withLog(async (open) => {
      const local = await startLyingModel(await endpoint.ca.issueServer({ ips: ['127.0.0.1'] }));
      try {
        local.say(message('no plan'));
        expect(
          codeOf(await planHealing(subject(), plannerDeps(open, both(local.port), endpoint.ca.caPem), signal)),
        ).toBe('planner_answer_refused');
        expect([local.seen.length, sent()]).toEqual([2, 0]);
      } finally {
        await local.close();
      }
    }));
});
