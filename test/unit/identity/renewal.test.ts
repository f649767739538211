import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import { decideRenewal, renewalTime, validityOf, type RenewalInputs } from '../../../agent/identity/renewal.ts';

const DAY_S = 86_400;
const START = 1_790_000_000;
const held = { notBefore: START, notAfter: START + DAY_S };
const decide = (change: Partial<RenewalInputs>) =>
  decideRenewal({ held, nowT: null, refusal: null, random: 0.5, ...change });
const refused = (problemCode: string): AgentError =>
  new AgentError('http_refused', 'refused', { details: { status: 401, problem_code: problemCode } });

describe('when a certificate is renewed', () => {
  it('keeps it until two thirds of its life are over by signed time, then renews it', () => {
    expect(decide({ nowT: START + 57_599 })).toBe('keep');
    expect(decide({ nowT: START + 57_600 })).toBe('renew');
    expect(decide({ nowT: START + DAY_S - 1 })).toBe('renew');
  });

  it('recovers it from the second at which it lapses by signed time', () => {
    expect(decide({ nowT: START + DAY_S })).toBe('recover');
    expect(decide({ nowT: START + 40 * DAY_S })).toBe('recover');
  });

  it('does nothing of its own accord while no time was signed: the wall clock plays no part', () => {
    expect(decide({ nowT: null })).toBe('keep');
  });

  it.each(['client_certificate_lapsed', 'client_certificate_invalid'])(
    'recovers it when Central Command answers %s, whatever the time is',
    (code) => {
      for (const nowT of [null, START, START + 60_000])
        expect(decide({ nowT, refusal: refused(code) })).toBe('recover');
    },
  );

  it('recovers it when a TLS terminator refuses it in the handshake', () => {
    expect(decide({ refusal: new AgentError('tls_client_refused', 'refused') })).toBe('recover');
  });

  it.each(['appliance_revoked', 'identity_mismatch', 'client_certificate_missing', 'rate_limited'])(
    'does not take the answer %s for a lapsed certificate',
    (code) => {
      expect(decide({ refusal: refused(code) })).toBe('keep');
    },
  );

  it('recovers one that cannot be read', () => {
    expect(validityOf('-----BEGIN CERTIFICATE-----')).toBe(null);
    expect(decide({ held: null, nowT: START })).toBe('recover');
  });

  it('is spread over a tenth of the life around two thirds of it, and never past its end', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: 3_600, max: 200_000 }),
        (random, life) => {
          const at = renewalTime({ notBefore: START, notAfter: START + life }, random) - START;
          expect(at).toBeGreaterThanOrEqual(Math.floor(life * 0.616));
          expect(at).toBeLessThan(life * 0.717);
        },
      ),
    );
  });
});
