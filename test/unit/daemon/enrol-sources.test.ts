import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tryEachSource } from '../../../agent/daemon/enrol-sources.ts';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import type { ClaimSource, EnrolResult } from '../../../agent/identity/enrol.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { fakeClock } from '../../support/fakes/fake-clock.ts';
import { fakeIds } from '../../support/fakes/fake-ids.ts';

let dir: string;
let tried: string[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sources-'));
  tried = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const PENDING: EnrolResult = { status: 'pending', sentence: 'Waiting.', retryInS: 10 };
const refusal = (code: string) => new AgentError('enrolment_refused', 'refused', { details: { code } });

/** Answers by source; what is not named is pending. */
function attempt(token: string | null, answers: Partial<Record<ClaimSource['source'], AgentError>> = {}) {
  const clock = fakeClock();
  return tryEachSource(
    { config: { state_dir: dir }, clock, ids: fakeIds(1, clock) },
    { token, centralUrl: 'https://central.example' },
    ({ source }) => {
      tried.push(source);
      const error = answers[source];
      return error === undefined ? Promise.resolve(PENDING) : Promise.reject(error);
    },
  );
}

describe('the sources of an enrolment', () => {
  it('are not tried beyond a token that is taken', async () => {
    expect((await attempt('a token')).refused).toBeNull();
    expect(tried).toEqual(['usb']);
  });

  it('are label, then claim code, where there is no token', async () => {
    expect((await attempt(null)).answer).toEqual(PENDING);
    expect(tried).toEqual(['mac', 'qr']);
  });

  it.each(['enrolment_token_unknown', 'enrolment_token_expired', 'enrolment_token_used'])(
    'go on with label and claim code where the token meets %s, which stays named with its remedy',
    async (code) => {
      const { answer, refused } = await attempt('a token', { usb: refusal(code) });
      expect(tried).toEqual(['usb', 'mac', 'qr']);
      expect(answer.status).toBe('pending');
      expect(refused?.code).toBe(code);
      expect(refused?.remedy).toContain('new stick');
    },
  );

  it.each(['appliance_revoked', 'appliance_replaced', 'enrolment_other_site'])(
    'end where the device itself meets %s: no other source would change that',
    async (code) => {
      await expectCodeAsync(attempt('a token', { usb: refusal(code) }), 'enrolment_refused');
      expect(tried).toEqual(['usb']);
    },
  );

  it('end where Central Command does not answer, so that the reason is the way and not the token', async () => {
    const away = new AgentError('connect_refused', 'nobody listens');
    await expectCodeAsync(attempt('a token', { usb: away }), 'connect_refused');
    await expectCodeAsync(attempt(null, { qr: away }), 'connect_refused');
  });
});
