import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import { CODES, type ErrorCode } from '../../../agent/errors/codes.ts';
import {
  backoffMs,
  BACKOFF_FIRST_MS,
  BACKOFF_LONGEST_MS,
  isParked,
  judgeUploadFailure,
  parkCode,
  parkUntil,
  PARK_FIRST_S,
  PARK_LONGEST_S,
} from '../../../agent/uplink/upload-pace.ts';

const refused = (status: number, code: string, more: Record<string, number> = {}): AgentError =>
  new AgentError('http_refused', 'refused', { details: { status, problem_code: code, retry_after_s: null, ...more } });

describe('what an upload failure means', () => {
  it('moves back to the entry that Central Command expects, and only ever back', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.nat(10_000), (first, expected) => {
        const decision = judgeUploadFailure(refused(422, 'evidence_gap', { expected_seq: expected }), first);
        expect(decision).toEqual(expected < first ? { kind: 'move_back', to: expected } : { kind: 'park' });
      }),
    );
  });

  it('parks a gap that names no entry', () => {
    expect(judgeUploadFailure(refused(422, 'evidence_gap'), 5)).toEqual({ kind: 'park' });
  });

  it.each([400, 401, 403, 404, 409, 413, 422])('parks a refusal with status %i', (status) => {
    expect(judgeUploadFailure(refused(status, 'identity_mismatch'), 0)).toEqual({ kind: 'park' });
  });

  it.each([
    'dns_failed',
    'connect_refused',
    'request_timeout',
    'tls_untrusted',
    'response_truncated',
    'response_not_expected',
  ] as const)('waits after %s', (code) => {
    expect(judgeUploadFailure(new AgentError(code, 'x'), 0)).toEqual({ kind: 'wait', retryAfterS: null });
  });

  it('waits as long as a busy server asks', () => {
    const busy = new AgentError('http_unavailable', 'x', { details: { status: 429, retry_after_s: 90 } });
    expect(judgeUploadFailure(busy, 0)).toEqual({ kind: 'wait', retryAfterS: 90 });
  });

  it.each(['receipt_mismatch', 'evidence_diverged', 'signature_invalid', 'schema_invalid'] as const)(
    'parks an answer that is no receipt (%s)',
    (code) => {
      expect(judgeUploadFailure(new AgentError(code, 'x'), 0)).toEqual({ kind: 'park' });
    },
  );

  it.each(['internal', 'shutting_down', 'request_aborted', 'disk_full'] as const)('does not judge %s', (code) => {
    expect(judgeUploadFailure(new AgentError(code, 'x'), 0)).toEqual({ kind: 'pass_on' });
  });

  it('has no decision that drops an entry, for any code there is', () => {
    for (const code of Object.keys(CODES) as ErrorCode[]) {
      const { kind } = judgeUploadFailure(new AgentError(code, 'x'), 7);
      expect(['move_back', 'park', 'wait', 'pass_on']).toContain(kind);
    }
  });

  it("parks under Central Command's own code where it named one", () => {
    expect(parkCode(refused(409, 'evidence_conflict'))).toBe('evidence_conflict');
    expect(parkCode(new AgentError('receipt_mismatch', 'x'))).toBe('receipt_mismatch');
  });
});

describe('how long an upload pauses', () => {
  it('parks for 5, 10, 20, 40 and then 60 minutes', () => {
    const minutes = [0, 1, 2, 3, 4, 5, 1_000].map((tries) => parkUntil(tries, 0).until / 60);
    expect(minutes).toEqual([5, 10, 20, 40, 60, 60, 60]);
    expect(parkUntil(3, 0).tries).toBe(4);
  });

  it('is never parked for longer than the longest pause, wherever the wall clock jumps', () => {
    fc.assert(
      fc.property(
        fc.nat(50),
        fc.nat(4_000_000_000),
        fc.integer({ min: -100_000_000, max: 100_000_000 }),
        (tries, now, jump) => {
          const row = parkUntil(tries, now);
          expect(row.until - now).toBeGreaterThanOrEqual(PARK_FIRST_S);
          expect(row.until - now).toBeLessThanOrEqual(PARK_LONGEST_S);
          // Whatever the clock says now, an hour later at the latest the pause is over.
          expect(isParked(row, now + jump) && isParked(row, now + jump + PARK_LONGEST_S)).toBe(false);
        },
      ),
    );
    expect(isParked({ until: 1_000_000 }, 0)).toBe(false);
    expect(isParked(null, 0)).toBe(false);
    expect(isParked({ until: 300 }, 299)).toBe(true);
    expect(isParked({ until: 300 }, 300)).toBe(false);
  });

  it('backs off between half and all of a doubling pause of 5 s to 5 min', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.double({ min: 0, max: 0.999_999, noNaN: true }),
        (failures, random) => {
          const full = Math.min(BACKOFF_FIRST_MS * 2 ** Math.min(failures - 1, 30), BACKOFF_LONGEST_MS);
          const pause = backoffMs(failures, random, null);
          expect(pause).toBeGreaterThanOrEqual(full / 2);
          expect(pause).toBeLessThan(full);
        },
      ),
    );
  });

  it('never comes back earlier than the server asked', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(3_600), (failures, retryAfterS) => {
        expect(backoffMs(failures, 0, retryAfterS)).toBeGreaterThanOrEqual(retryAfterS * 1000);
      }),
    );
  });
});
