import { describe, expect, it } from 'vitest';
import { healingView } from '../../../agent/daemon/healing-view.ts';
import { recordDrift, recordStep } from '../../../agent/healing/incident-store.ts';
import { withLog, type OpenLog } from '../../support/evidence-fixtures.ts';

const NOON = 1_800_000_000;
const ID = (n: number): string => `019e0000-0000-7000-8000-0000000000e${n}`;

const drift = ({ store }: OpenLog, n: number, condition: string): void =>
  void recordDrift(
    store,
    () => ID(n),
    { targetId: 'pc-1', checkId: 'windows_av', condition },
    { at: NOON, severity: 'high', sentence: 'protection is off', seq: 1 },
  );
const view = ({ store }: OpenLog): boolean => healingView(store, 'pc-1', 'windows_av', NOON).inHand;

describe('what a ticket says of healing', () => {
  it('tells people of drift that went to them while another change of the same check goes on by itself', () =>
    withLog((open) => {
      drift(open, 1, 'av-off');
      recordStep(open.store, ID(1), { event: 'intent', at: NOON, runbook: 'RB-WIN-AV-001' });
      recordStep(open.store, ID(1), { event: 'changed', at: NOON });
      expect(view(open)).toBe(true);
      drift(open, 2, 'unmatched');
      expect(view(open)).toBe(true);
      const verdict = { verdict: 'people', guard: 'rule', sentence: 'no rule', until: null } as const;
      recordStep(open.store, ID(2), { event: 'judged', at: NOON, verdict, runbook: null });
      expect(view(open)).toBe(false);
    }));
});
