import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../../../agent/store/open-store.ts';
import { createLockoutGuard } from '../../../agent/targets/lockout-guard.ts';
import { expectCode } from '../../support/expect-code.ts';
import { fakeClock } from '../../support/fakes/fake-clock.ts';
import { heldTarget } from '../../support/targets.ts';

const NOW = 1_800_000_000;
const SECRET = 'Tr0ub4dor-and-3';
const pc1 = heldTarget('pc-1', SECRET);
const pc2 = heldTarget('pc-2', SECRET);

let dir: string;
let store: Store;
const time = { nowT: NOW as number | null };
const guard = () => createLockoutGuard({ store, nowT: () => time.nowT });
const restart = (): void => {
  store.close();
  store = openStore({ dir, clock: fakeClock() });
};
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lockout-'));
  store = openStore({ dir, clock: fakeClock() });
  time.nowT = NOW;
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('the lock-out guard on the disk', () => {
  it('remembers a stopped credential across restarts, by id and without the secret', () => {
    expect(guard().begin(pc1).may).toBe('try');
    guard().end(pc1, 'winrm_account_locked');
    restart();
    expect(guard().begin(pc2)).toEqual({ may: 'not', code: 'credential_stopped', cause: 'winrm_account_locked' });
    expect(guard().stopped()).toEqual([{ credentialId: 'clinic-svc', version: 1, cause: 'winrm_account_locked' }]);
    store.close();
    expect(readFileSync(join(dir, 'agent.db')).includes(SECRET)).toBe(false);
    store = openStore({ dir, clock: fakeClock() });
  });

  it('remembers a try whose process died before it ended', () => {
    guard().begin(pc1);
    restart();
    expect(guard().begin(pc1).may).toBe('later');
    expect(guard().begin(pc2).may).toBe('later');
  });

  it('tries nothing without signed time', () => {
    time.nowT = null;
    expect(guard().begin(pc1)).toEqual({ may: 'later', code: 'credential_waiting', until: null });
    expect(guard().retry({ credentialId: 'clinic-svc', credentialVersion: 1 }).retry).toBe('refused');
  });

  it('writes down that a secret was proven wrong even where signed time was lost meanwhile', () => {
    guard().begin(pc1);
    time.nowT = null;
    guard().end(pc1, 'winrm_logon_failed');
    time.nowT = NOW;
    expect(guard().begin(pc2).may).toBe('not');
  });

  it('tries nothing where its memory cannot be read', () => {
    store.settings.set('credential_lockout', '{"credentials":"gone"}');
    expectCode(() => guard().begin(pc1), 'store_corrupt');
  });

  it('tries nothing where it cannot be written down', () => {
    const broken = {
      settings: store.settings,
      unit: () => {
        throw new Error('disk full');
      },
    };
    expect(() => createLockoutGuard({ store: broken, nowT: () => NOW }).begin(pc1)).toThrow('disk full');
  });

  it('takes a retry once, and stands by that after a restart', () => {
    guard().begin(pc1);
    guard().end(pc1, 'winrm_logon_failed');
    const asked = { credentialId: 'clinic-svc', credentialVersion: 1 };
    expect(guard().retry(asked).retry).toBe('taken');
    restart();
    guard().begin(pc1);
    guard().end(pc1, 'winrm_logon_failed');
    expect(guard().retry(asked)).toEqual({ retry: 'refused', code: 'credential_retry_too_soon' });
  });
});
