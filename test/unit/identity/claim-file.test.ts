import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLAIM_FILE, currentClaim, readClaim, removeClaim, typedClaim } from '../../../agent/identity/claim-file.ts';
import { CLAIM_LIFE_S } from '../../../agent/wire/claim-code.ts';
import { fakeClock, type FakeClock } from '../../support/fakes/fake-clock.ts';
import { fakeIds } from '../../support/fakes/fake-ids.ts';

let dir: string;
let clock: FakeClock;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'claim-'));
  clock = fakeClock({});
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
const current = (seed = 1) => currentClaim(dir, { clock, ids: fakeIds(seed, clock) });

describe('the claim code on the console', () => {
  it('stays the same over restarts, and ends before Central Command stops taking it', async () => {
    const first = current(1);
    expect(current(2)).toEqual(first);
    await clock.advance((CLAIM_LIFE_S - 60) * 1_000);
    expect(current(3).code).toBe(first.code);
    await clock.advance(30_000);
    expect(current(4).code).not.toBe(first.code);
  });

  it('is a new one after a reboot, whatever the wall clock says', () => {
    const first = current(1);
    clock.reboot();
    expect(current(2).code).not.toBe(first.code);
  });

  it('is for the agent and root only, and goes once it is not needed', () => {
    current();
    expect(statSync(join(dir, CLAIM_FILE)).mode & 0o777).toBe(0o600);
    removeClaim(dir);
    expect(readClaim(dir)).toBeNull();
    removeClaim(dir);
  });

  it('makes way for one that a person typed, until that has had its time', async () => {
    current(1);
    const code = 'ab'.repeat(16);
    typedClaim(dir, clock, code);
    expect(current(2)).toMatchObject({ code, made_by: 'person' });
    await clock.advance(CLAIM_LIFE_S * 1_000);
    expect(current(3)).toMatchObject({ made_by: 'device' });
  });

  it.each(['', '{}', '[]', '{"schema":"compliance-agent/shown-claim/v1","code":"xyz"}'])(
    'is made anew where the file holds %j',
    (text) => {
      writeFileSync(join(dir, CLAIM_FILE), text);
      expect(current().code).toMatch(/^[0-9a-f]{32}$/);
    },
  );
});
