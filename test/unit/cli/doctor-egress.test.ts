import { describe, expect, it } from 'vitest';
import { judgeEgress } from '../../../agent/cli/doctor/judge-egress.ts';
import type { EgressState } from '../../../agent/egress/egress-state.ts';

const STATE: EgressState = {
  schema: 'compliance-agent/egress/v1',
  boot_id: 'b',
  refreshed_at: 1,
  period_s: 120,
  policy_version: null,
  doors: [
    {
      ...{ who: 'agent', host: 'central.example', ports: [{ protocol: 'tcp', port: 443 }], why: ['central_command'] },
      addresses: [{ address: '192.0.2.1', until: 1_000 }],
      problem: null,
    },
  ],
  networks: [],
  warnings: ['something is left out'],
  problem: null,
};

describe('the step `egress` of the doctor', () => {
  it('says how much is open, with what is left out', () => {
    expect(judgeEgress({ state: STATE, bootMs: 999 })).toMatchObject({ state: 'ok', notes: ['something is left out'] });
  });

  it('is not looked at where nothing of the agent closes anything', () => {
    expect(judgeEgress({ state: null, bootMs: 0 }).state).toBe('not_looked_at');
  });

  it('names what the refresher could not do, and lets the next steps look all the same', () => {
    const problem = { code: 'egress_not_loaded', sentence: 's' };
    expect(judgeEgress({ state: { ...STATE, problem }, bootMs: 0 })).toMatchObject({
      state: 'problem',
      breaks: false,
      problems: [{ code: 'egress_not_loaded', sentence: 's' }],
    });
  });

  it('sees that every door has closed since nothing opens them any more', () => {
    expect(judgeEgress({ state: STATE, bootMs: 1_000 })).toMatchObject({
      state: 'problem',
      problems: [{ code: 'egress_never_refreshed' }],
    });
  });
});
