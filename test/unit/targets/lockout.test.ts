import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import {
  ACCOUNT_WINDOW_S,
  beginTry,
  lockoutSchema,
  mayTry,
  NO_LOCKOUTS,
  noteOutcome,
  outcomeOf,
  PROVEN_BAD,
  RETRY_EVERY_S,
  retryCredential,
  TRIAL_LIFE_S,
  type Credential,
  type LockoutState,
  type Outcome,
} from '../../../agent/targets/lockout.ts';

const NOW = 1_800_000_000;
const svc = (version = 1, change: Partial<Credential> = {}): Credential => ({
  principal: 'svc-compliance',
  domain: 'CLINIC',
  credentialId: 'clinic-svc',
  credentialVersion: version,
  ...change,
});
/** One whole logon. */
const logon = (state: LockoutState, credential: Credential, target: string, outcome: Outcome, now = NOW) =>
  noteOutcome(beginTry(state, credential, target, now), credential, target, outcome, now);
const may = (state: LockoutState, credential: Credential, target: string, now = NOW) =>
  mayTry(state, credential, target, now).may;

describe('a client certificate', () => {
  const local = (): Credential => svc(1, { domain: null });

  it("that one host does not take is held back there, and stopped nowhere: mapping and trust are that host's own", () => {
    for (const code of [
      'winrm_client_certificate_unmapped',
      'winrm_client_certificate_untrusted',
      'winrm_client_certificate_not_asked',
    ]) {
      const state = logon(NO_LOCKOUTS, local(), 'pc-1', outcomeOf(code));
      expect(may(state, local(), 'pc-1')).toBe('later');
      expect(may(state, local(), 'pc-2')).toBe('try');
    }
  });

  it('is shown to a host that does not take it at most four times in 30 minutes: its mapping holds a password', () => {
    let state = NO_LOCKOUTS;
    let tries = 0;
    for (let now = NOW; now < NOW + ACCOUNT_WINDOW_S; now += 10) {
      if (may(state, local(), 'pc-1', now) !== 'try') continue;
      tries += 1;
      state = logon(state, local(), 'pc-1', outcomeOf('winrm_client_certificate_unmapped'), now);
    }
    expect(tries).toBeGreaterThan(1);
    expect(tries).toBeLessThanOrEqual(4);
  });

  it('that is not shown at all holds nothing up', () => {
    for (const code of ['target_certificate_date', 'target_certificate_invalid', 'target_certificate_purpose']) {
      expect(outcomeOf(code)).toBe('no_logon');
    }
  });
});

describe('a secret that was proven wrong', () => {
  it.each(PROVEN_BAD)('%s stops the credential on every target, and says why', (code) => {
    const state = logon(NO_LOCKOUTS, svc(), 'pc-1', code);
    expect(mayTry(state, svc(), 'pc-1', NOW)).toEqual({ may: 'not', code: 'credential_stopped', cause: code });
    expect(may(state, svc(), 'pc-2', NOW + 10 * 365 * 86_400)).toBe('not');
  });

  it('stops it also where it was good before', () => {
    const good = logon(NO_LOCKOUTS, svc(), 'pc-1', 'good');
    expect(may(good, svc(), 'pc-2')).toBe('try');
    const state = logon(good, svc(), 'pc-2', 'winrm_password_expired');
    expect(may(state, svc(), 'pc-1')).toBe('not');
  });

  it('lets a new version be tried, on one target first, and on the others once it was taken', () => {
    let state = logon(NO_LOCKOUTS, svc(1), 'pc-1', 'winrm_logon_failed');
    expect(may(state, svc(2), 'pc-2')).toBe('try');
    state = beginTry(state, svc(2), 'pc-2', NOW);
    expect(may(state, svc(2), 'pc-1')).toBe('later');
    expect(may(noteOutcome(state, svc(2), 'pc-2', 'good', NOW), svc(2), 'pc-1')).toBe('try');
    expect(may(noteOutcome(state, svc(2), 'pc-2', 'winrm_logon_failed', NOW), svc(2), 'pc-1')).toBe('not');
  });

  it('stays stopped when an older version is handed out again, as a restored Central Command does', () => {
    let state = logon(NO_LOCKOUTS, svc(1), 'pc-1', 'winrm_logon_failed');
    state = logon(state, svc(3), 'pc-1', 'winrm_logon_failed');
    for (const version of [1, 2, 3]) expect(may(state, svc(version), 'pc-2'), String(version)).toBe('not');
    state = logon(state, svc(4), 'pc-1', 'good');
    for (const version of [1, 2, 3]) expect(may(state, svc(version), 'pc-2'), String(version)).toBe('not');
    expect(may(state, svc(4), 'pc-2')).toBe('try');
  });

  it('is not known by another spelling of the account, and stops no other account', () => {
    const state = beginTry(NO_LOCKOUTS, svc(), 'pc-1', NOW);
    const spelt = svc(1, { principal: 'SVC-Compliance', domain: 'clinic', credentialId: 'another-id' });
    expect(may(state, spelt, 'pc-2')).toBe('later');
    expect(may(state, svc(1, { principal: 'somebody-else', credentialId: 'third' }), 'pc-2')).toBe('try');
  });

  it('is not known by a user principal name or the DNS name of the domain, and by what an older version wrote of either', () => {
    const upn = { principal: 'svc-compliance@clinic.example', domain: null };
    const spellings: Partial<Credential>[] = [
      {},
      upn,
      { ...upn, domain: 'CLINIC' },
      { principal: 'SVC-Compliance@Clinic.Example' },
      { domain: 'clinic.example' },
      { principal: 'Clinic\\svc-compliance', domain: null },
    ];
    for (const first of spellings) {
      const state = logon(NO_LOCKOUTS, svc(1, first), 'pc-1', 'winrm_logon_failed');
      for (const second of spellings) expect(may(state, svc(1, second), 'pc-2'), JSON.stringify(second)).toBe('not');
      const tried = beginTry(NO_LOCKOUTS, svc(1, first), 'pc-1', NOW);
      for (const second of spellings)
        expect(may(tried, svc(1, { ...second, credentialId: 'b' }), 'pc-2')).toBe('later');
    }
    // A NetBIOS name is cut where the DNS name is longer.
    const long = beginTry(NO_LOCKOUTS, svc(1, { domain: 'ClinicOfTheNorth.example' }), 'pc-1', NOW);
    expect(may(long, svc(1, { domain: 'CLINICOFTHENORT', credentialId: 'b' }), 'pc-2')).toBe('later');
    const state = logon(NO_LOCKOUTS, svc(1, upn), 'pc-1', 'winrm_logon_failed');
    const old = JSON.parse(JSON.stringify(state).replaceAll('clinic\\\\svc-compliance', upn.principal)) as unknown;
    expect(JSON.stringify(old)).toContain(upn.principal);
    expect(v.parse(lockoutSchema, old)).toEqual(state);
    expect(v.parse(lockoutSchema, state)).toEqual(state);
    for (const other of [
      { domain: 'other.example' },
      { domain: null },
      { principal: 'svc-compliance@other.example' },
    ]) {
      expect(may(beginTry(NO_LOCKOUTS, svc(), 'pc-1', NOW), svc(1, { ...other, credentialId: 'b' }), 'pc-2')).toBe(
        'try',
      );
    }
  });

  it('is proven wrong at most four times in half an hour for one account, however many credentials name it', () => {
    let state = NO_LOCKOUTS;
    let tries = 0;
    for (let i = 0; i < 20; i++) {
      const credential = svc(1, { credentialId: `clinic-svc-${i}` });
      if (may(state, credential, 'pc-1') !== 'try') continue;
      tries += 1;
      state = logon(state, credential, 'pc-1', 'winrm_logon_failed');
    }
    expect(tries).toBe(4);
    expect(may(state, svc(1, { credentialId: 'late' }), 'pc-1', NOW + ACCOUNT_WINDOW_S)).toBe('try');
  });
});

describe('another cause', () => {
  it('lets the target wait for 5, 10, 20, 40, then always 60 minutes, and never for good', () => {
    let state = NO_LOCKOUTS;
    let now = NOW;
    const minutes: number[] = [];
    for (let i = 0; i < 7; i++) {
      state = logon(state, svc(), 'pc-1', 'other', now);
      const verdict = mayTry(state, svc(), 'pc-1', now);
      if (verdict.may !== 'later' || verdict.until === null) return expect.fail('it must wait');
      minutes.push((verdict.until - now) / 60);
      expect(may(state, svc(), 'pc-1', verdict.until - 1)).toBe('later');
      now = verdict.until;
      expect(may(state, svc(), 'pc-1', now)).toBe('try');
    }
    expect(minutes).toEqual([5, 10, 20, 40, 60, 60, 60]);
  });

  it('holds up no other target: another one may be the first to try the secret', () => {
    const state = logon(NO_LOCKOUTS, svc(), 'pc-1', 'other');
    expect(may(state, svc(), 'pc-2')).toBe('try');
  });

  it('is over with the first logon that works', () => {
    const state = logon(logon(NO_LOCKOUTS, svc(), 'pc-1', 'other'), svc(), 'pc-1', 'good', NOW + 3_600);
    expect(state.waits).toEqual([]);
  });

  it('is none of those that come before any logon: such a target may be looked for again at once', () => {
    for (const code of ['winrm_unreachable', 'winrm_tls_failed', 'winrm_pin_mismatch']) {
      expect(outcomeOf(code)).toBe('no_logon');
      const tried = beginTry(NO_LOCKOUTS, svc(), 'pc-1', NOW);
      expect(may(tried, svc(), 'pc-2', NOW)).toBe('later');
      const after = noteOutcome(tried, svc(), 'pc-1', outcomeOf(code), NOW);
      expect([may(after, svc(), 'pc-1', NOW), may(after, svc(), 'pc-2', NOW)]).toEqual(['try', 'try']);
      // A wait that another cause brought stays.
      const waiting = logon(NO_LOCKOUTS, svc(), 'pc-1', 'other');
      expect(may(noteOutcome(waiting, svc(), 'pc-1', outcomeOf(code), NOW), svc(), 'pc-1', NOW)).toBe('later');
    }
  });

  it('is every other code that does not prove the secret wrong', () => {
    for (const code of ['winrm_clock_skew', 'winrm_channel_binding', 'winrm_no_answer', 'internal', 'made_up']) {
      expect(outcomeOf(code)).toBe('other');
    }
    expect(outcomeOf(null)).toBe('good');
    expect(PROVEN_BAD.map(outcomeOf)).toEqual(PROVEN_BAD);
  });

  it('does not wait longer than any wait is where signed time went back by years', () => {
    const state = logon(NO_LOCKOUTS, svc(), 'pc-1', 'other');
    const back = NOW - 3 * 365 * 86_400;
    expect(may(state, svc(), 'pc-1', back + 3_600)).toBe('later');
    const again = noteOutcome(state, svc(), 'pc-1', 'other', back);
    expect(may(again, svc(), 'pc-1', back + 600)).toBe('try');
  });
});

describe('a signed retry', () => {
  const stopped = logon(NO_LOCKOUTS, svc(2), 'pc-1', 'winrm_account_locked');
  const asked = { credentialId: 'clinic-svc', credentialVersion: 2 };

  it('lets a stopped credential be tried again, on one target, once', () => {
    const verdict = retryCredential(stopped, asked, NOW);
    if (verdict.retry !== 'taken') return expect.fail(verdict.code);
    const trying = beginTry(verdict.state, svc(2), 'pc-1', NOW);
    expect(may(trying, svc(2), 'pc-2')).toBe('later');
    const again = noteOutcome(trying, svc(2), 'pc-1', 'winrm_account_locked', NOW);
    expect(may(again, svc(2), 'pc-1')).toBe('not');
  });

  it('is taken once in 24 hours, also where the credential was stopped again or signed time went back', () => {
    const verdict = retryCredential(stopped, asked, NOW);
    if (verdict.retry !== 'taken') return expect.fail(verdict.code);
    const again = logon(verdict.state, svc(2), 'pc-1', 'winrm_account_locked');
    const refused = { retry: 'refused', code: 'credential_retry_too_soon' };
    for (const now of [NOW, NOW + RETRY_EVERY_S - 1, NOW - 3 * 365 * 86_400]) {
      expect(retryCredential(again, asked, now)).toEqual(refused);
    }
    expect(retryCredential(again, asked, NOW + RETRY_EVERY_S).retry).toBe('taken');
  });

  it('is not taken for a credential that is good, unknown, or stopped in another version', () => {
    const refused = { retry: 'refused', code: 'credential_not_stopped' };
    expect(retryCredential(NO_LOCKOUTS, asked, NOW)).toEqual(refused);
    expect(retryCredential(logon(NO_LOCKOUTS, svc(2), 'pc-1', 'good'), asked, NOW)).toEqual(refused);
    expect(retryCredential(stopped, { ...asked, credentialVersion: 3 }, NOW)).toEqual(refused);
    expect(retryCredential(stopped, { ...asked, credentialId: 'other' }, NOW)).toEqual(refused);
  });
});

describe('a domain that locks accounts', () => {
  it('sees a wrong secret once for each version and retry, whatever is asked, in whatever order, with crashes between', () => {
    const step = fc.record({
      target: fc.integer({ min: 1, max: 6 }),
      version: fc.integer({ min: 1, max: 3 }),
      passS: fc.integer({ min: 0, max: 400 }),
      end: fc.constantFrom('crash', 'answer', 'answer', 'other'),
      retry: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        let state: LockoutState = NO_LOCKOUTS;
        let now = NOW;
        const seen = new Map<number, number>();
        const crashes: number[] = [];
        let retries = 0;
        for (const { target, version, passS, end, retry } of steps) {
          now += passS;
          const credential = svc(version);
          if (retry) {
            const verdict = retryCredential(state, credential, now);
            if (verdict.retry === 'taken') [state, retries] = [verdict.state, retries + 1];
          }
          if (mayTry(state, credential, `pc-${target}`, now).may !== 'try') continue;
          state = JSON.parse(JSON.stringify(beginTry(state, credential, `pc-${target}`, now))) as LockoutState;
          if (end === 'other') state = noteOutcome(state, credential, `pc-${target}`, 'other', now);
          if (end === 'crash') crashes.push(now);
          if (end !== 'answer') continue;
          seen.set(version, (seen.get(version) ?? 0) + 1);
          state = noteOutcome(state, credential, `pc-${target}`, 'winrm_logon_failed', now);
        }
        for (const [version, times] of seen) expect(times, `version ${version}`).toBeLessThanOrEqual(1 + retries);
        // The domain may have counted those too: the bytes had left.
        for (const [i, at] of crashes.entries()) {
          if (i > 0) expect(at - crashes[i - 1]!).toBeGreaterThanOrEqual(TRIAL_LIFE_S);
        }
        expect(retries).toBeLessThanOrEqual(1 + Math.floor((now - NOW) / RETRY_EVERY_S));
      }),
      { numRuns: 400 },
    );
  });

  it('sees one try at a time of what is not known to be good, and one more each ten minutes where every one crashes', () => {
    let state = beginTry(NO_LOCKOUTS, svc(), 'pc-1', NOW);
    for (const target of ['pc-1', 'pc-2']) expect(may(state, svc(), target, NOW + TRIAL_LIFE_S - 1)).toBe('later');
    expect(may(state, svc(), 'pc-2', NOW + TRIAL_LIFE_S)).toBe('try');
    state = beginTry(state, svc(), 'pc-2', NOW + TRIAL_LIFE_S);
    expect(may(state, svc(), 'pc-3', NOW + TRIAL_LIFE_S + 1)).toBe('later');
  });

  it('sees no try of a second credential of the account while one is being tried', () => {
    const state = beginTry(NO_LOCKOUTS, svc(), 'pc-1', NOW);
    expect(may(state, svc(1, { credentialId: 'other' }), 'pc-1')).toBe('later');
  });
});
