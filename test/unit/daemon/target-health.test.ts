import { describe, expect, it } from 'vitest';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import { targetHealth, targetStates, whyStopped } from '../../../agent/daemon/target-health.ts';
import type { TryVerdict } from '../../../agent/targets/lockout.ts';
import { createTargetTable } from '../../../agent/targets/target-table.ts';
import { heldTarget } from '../../support/targets.ts';

const unreadable = (): never => {
  throw new AgentError('store_corrupt', 'cannot be read');
};

const knowing = (look: () => TryVerdict, others: readonly string[] = []) => ({
  guard: { look },
  machines: { isOther: (id: string) => others.includes(id) },
});

describe('what a check-in says of targets', () => {
  const table = createTargetTable({
    clock: { bootMs: () => 0 },
    networks: () => [{ prefix: '192.0.2.0/24', ports: [5986] }],
  });
  table.replace([heldTarget('far', 's', { address: '198.51.100.1' }), heldTarget('pc-1', 's')], 60_000);
  const said = (verdict: TryVerdict) =>
    targetHealth(
      table,
      knowing(() => verdict),
    ).map(({ id, state }) => `${id} ${state}`);

  it('is one word for each, and no more of any', () => {
    expect(said({ may: 'try' })).toEqual(['far outside_networks', 'pc-1 ready']);
    expect(said({ may: 'later', code: 'credential_waiting', until: 5 })[1]).toBe('pc-1 credential_waiting');
    const stopped = said({ may: 'not', code: 'credential_stopped', cause: 'winrm_logon_failed' });
    expect(stopped[1]).toBe('pc-1 credential_stopped');
    expect(
      Object.keys(
        targetHealth(
          table,
          knowing(() => ({ may: 'try' })),
        )[0]!,
      ),
    ).toEqual(['id', 'state']);
  });

  it('is for status the same word, with the code of a stopped credential and nothing of address or account', () => {
    const states = (verdict: TryVerdict) =>
      targetStates(
        table,
        knowing(() => verdict),
      );
    expect(states({ may: 'not', code: 'credential_stopped', cause: 'winrm_account_locked' })).toEqual([
      { id: 'far', state: 'outside_networks', cause: null },
      { id: 'pc-1', state: 'credential_stopped', cause: 'winrm_account_locked' },
    ]);
    expect(states({ may: 'try' })[1]).toEqual({ id: 'pc-1', state: 'ready', cause: null });
    expect(states({ may: 'later', code: 'credential_waiting', until: 5 })[1]?.cause).toBe(null);
    expect(targetStates(table, knowing(unreadable))[1]).toEqual({
      id: 'pc-1',
      state: 'unknown',
      cause: 'store_corrupt',
    });
  });

  it('names a target for which another machine answers than its own, with the code', () => {
    const known = knowing(() => ({ may: 'try' }), ['far', 'pc-1']);
    expect(targetHealth(table, known)).toEqual([
      { id: 'far', state: 'outside_networks' },
      { id: 'pc-1', state: 'other_machine' },
    ]);
    expect(targetStates(table, known)[1]?.cause).toBe('target_identity_differs');
    // What keeps it from being tried at all comes first.
    const stopped = { may: 'not', code: 'credential_stopped', cause: 'winrm_logon_failed' } as const;
    expect(
      targetHealth(
        table,
        knowing(() => stopped, ['pc-1']),
      )[1]?.state,
    ).toBe('credential_stopped');
  });

  it('goes on where the memory of the lock-out guard cannot be read, and says so', () => {
    expect(targetHealth(table, knowing(unreadable))[1]?.state).toBe('unknown');
    expect(whyStopped({ stopped: unreadable })).toEqual({ code: 'store_corrupt' });
  });

  it('names why a credential is stopped', () => {
    expect(whyStopped({ stopped: () => [] })).toBe(null);
    const stopped = [{ credentialId: 'c', version: 1, cause: 'winrm_account_locked' }];
    expect(whyStopped({ stopped: () => stopped })).toEqual({ code: 'winrm_account_locked' });
  });
});
