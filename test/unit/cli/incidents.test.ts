import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordDrift, recordStep } from '../../../agent/healing/incident-store.ts';
import { makeCliState, type CliState } from '../../support/cli-state.ts';
import { cli } from '../../support/run-cli.ts';
import { open } from '../../support/store-fixtures.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const ID = '019e0000-0000-7000-8000-0000000000c1';
const CLOSED = '019e0000-0000-7000-8000-0000000000c2';
const OPENS = NOW + 36_000;
let state: CliState;
beforeAll(() => {
  state = makeCliState();
  const store = open(state.dir);
  const drift = { severity: 'high', sentence: 'the packet filter is not as declared' } as const;
  const key = { targetId: 'appliance', checkId: 'firewall', condition: 'firewall-changed' };
  recordDrift(store, () => ID, key, { at: NOW - 600, seq: 2, ...drift });
  const verdict = {
    verdict: 'wait',
    guard: 'window',
    sentence: 'the maintenance window is closed',
    until: OPENS,
  } as const;
  recordStep(store, ID, { at: NOW - 300, event: 'judged', verdict, runbook: null });
  recordDrift(store, () => CLOSED, { ...key, condition: 'other' }, { at: NOW - 400_000, ...drift });
  recordStep(store, CLOSED, { at: NOW - 300_000, event: 'pass' });
  recordStep(store, CLOSED, { at: NOW - 100_000, event: 'tick' });
  store.close();
});
afterAll(() => rmSync(state.dir, { recursive: true, force: true }));

const onState = (...argv: string[]) => cli([...argv, '--state', state.dir]);

describe('incidents list', () => {
  it('shows open incidents, and closed ones only when asked', async () => {
    const ids = async (...more: string[]) =>
      (await onState('incidents', 'list', '--json', ...more))
        .json<{ incidents: { incident_id: string }[] }>()
        .incidents.map(({ incident_id: id }) => id);
    expect(await ids()).toEqual([ID]);
    expect(await ids('--all')).toEqual([ID, CLOSED]);
    expect((await onState('incidents', 'list')).out).toContain('firewall on appliance');
  });
});

describe('incidents show', () => {
  it('reads as a story, each line with the entry that it rests on', async () => {
    const { code, out } = await onState('incidents', 'show', ID);
    expect(code).toBe(0);
    expect(out).toMatch(/seen +#2 +the packet filter is not as declared\n.*deferred +the maintenance window is closed/);
    const { json } = await onState('incidents', 'show', ID, '--json');
    expect(json()).toMatchObject({ state: 'waiting', opened_seq: 2, story: [{ what: 'seen', evidence_seq: 2 }, {}] });
  });

  it('an id that no incident has is one clear error', async () => {
    const { code, err } = await onState('incidents', 'show', 'nobody');
    expect(code).toBe(2);
    expect(err).toContain('incidents list');
  });
});

describe('healing explain', () => {
  it('says in plain words why nothing was done, and when it will be', async () => {
    const { code, out } = await onState('healing', 'explain', ID);
    expect(code).toBe(0);
    expect(out).toContain('the guard window holds it back: the maintenance window is closed');
    expect(out).toContain('in 10 h');
    const { json } = await onState('healing', 'explain', ID, '--json');
    expect(json()).toMatchObject({ incident_id: ID, next_at: OPENS });
  });
});
