import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explainIncident } from '../../../agent/healing/explain-incident.ts';
import { incidentOf, recordDrift, recordStep } from '../../../agent/healing/incident-store.ts';
import {
  INCIDENT_STATES,
  openIncident,
  STABLE_S,
  stepIncident,
  type Incident,
  type IncidentEvent,
  type StoryLine,
} from '../../../agent/healing/incident.ts';
import { isAgentError } from '../../../agent/errors/agent-error.ts';
import { withDir } from '../../support/evidence-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';
import { open } from '../../support/store-fixtures.ts';

const T = 1_800_000_000;
const KEY = { targetId: 'pc-1', checkId: 'windows_av', condition: 'av-off' };
const ID = '019e0000-0000-7000-8000-0000000000c1';
const DRIFT = { severity: 'high', sentence: 'protection is off' } as const;
const first = openIncident(ID, KEY, { at: T, seq: 10, ...DRIFT });

type Short = IncidentEvent extends infer E
  ? E extends IncidentEvent
    ? Omit<E, 'at'> & { at?: number }
    : never
  : never;
/** Takes events a minute apart. */
function after(...events: readonly Short[]): { incident: Incident; story: StoryLine[] } {
  let { incident } = first;
  const story = [first.line!];
  for (const [i, event] of events.entries()) {
    const step = stepIncident(incident, { at: T + (i + 1) * 60, ...event });
    incident = step.incident;
    if (step.line !== null) story.push(step.line);
  }
  return { incident, story };
}

const drift = { event: 'drift', ...DRIFT } as const;
const pass = { event: 'pass' } as const;
const intent = { event: 'intent', runbook: 'RB-WIN-AV-001' } as const;
const changed = { event: 'changed' } as const;
const result = (outcome: 'healed' | 'reverted' | 'rollback_failed' | 'failed' | 'interrupted') =>
  ({ event: 'result', outcome }) as const;
const held = (verdict: 'wait' | 'people' | 'refuse', guard: string, until: number | null = null) =>
  ({ event: 'judged', runbook: null, verdict: { verdict, guard, sentence: `because of ${guard}`, until } }) as const;

describe('an incident', () => {
  it('goes from first sight over a verified heal to closed, and each step is a line of its story', () => {
    const { incident, story } = after(drift, intent, changed, result('healed'), pass, {
      event: 'tick',
      at: T + 4 * 60 + STABLE_S,
    });
    expect(incident.state).toBe('closed');
    expect(story.map(({ what }) => what)).toEqual(['seen', 'acting', 'verifying', 'healed', 'closed']);
    expect(story[0]?.evidenceSeq).toBe(10);
  });

  it('is never healed without a look of its own: a runbook that says success proves nothing', () => {
    expectCode(() => after(intent, result('healed')), 'internal');
    expectCode(() => after(result('healed')), 'internal');
    expect(after(intent, changed, pass).incident.state).toBe('verifying');
  });

  it('does not become healed because somebody else put it in order', () => {
    expect(after(pass).incident.state).toBe('passing');
    expect(after(held('people', 'flap'), pass).incident.state).toBe('ticketed');
  });

  it('counts what comes back, however often it was closed, and gives a closed one new attempts', () => {
    const healed = [intent, changed, result('healed'), drift] as const;
    const { incident, story } = after(...healed, ...healed, ...healed);
    expect([incident.state, incident.recurredAt.length, incident.attemptsFrom]).toEqual(['seen', 3, 0]);
    expect(story.filter(({ what }) => what === 'recurred')).toHaveLength(3);
    const late = T + 10 * STABLE_S;
    const again = after(pass, { event: 'tick', at: T + 2 * STABLE_S }, { ...drift, at: late }).incident;
    expect([again.state, again.recurredAt, again.attemptsFrom]).toEqual(['seen', [late], late]);
  });

  it('takes two looks from drift with nothing else in between', () => {
    expect(after(drift, drift).incident.seenAt).toEqual([T, T + 120]);
    expect(after(pass, drift).incident.seenAt).toEqual([T + 120]);
    expect(after(intent, result('interrupted')).incident.seenAt).toEqual([]);
  });

  it('is not closed by silence: a check that cannot judge begins the 24 hours anew', () => {
    const unknown = { event: 'unknown', sentence: 'it cannot be reached' } as const;
    const tick = { event: 'tick', at: T + STABLE_S + 300 } as const;
    expect(after(pass, tick).incident.state).toBe('closed');
    expect(after(pass, unknown, tick).incident.state).toBe('passing');
    expect(after(intent, changed, result('healed'), unknown, tick).incident.state).toBe('healed');
    expect(after(held('people', 'flap'), tick).incident.state).toBe('ticketed');
  });

  it('is deferred with a date, tells the same only once, and remembers since when', () => {
    const opens = T + 36_000;
    const { incident, story } = after(
      held('wait', 'window', opens),
      held('wait', 'window', opens),
      held('wait', 'window', opens),
    );
    expect(incident).toMatchObject({ state: 'waiting', nextStepAt: opens, deferredSince: T + 60 });
    expect(story.map(({ what }) => what)).toEqual(['seen', 'deferred']);
  });

  it('is with people after what the guards refuse, a failed rollback or a dry run, and a dry run is no heal', () => {
    expect(after(held('people', 'attempts')).incident).toMatchObject({
      state: 'ticketed',
      held: { guard: 'attempts' },
    });
    expect(after(held('refuse', 'validation')).incident.state).toBe('ticketed');
    expect(after(intent, changed, result('rollback_failed')).incident.state).toBe('ticketed');
    const { incident, story } = after({ event: 'judged', runbook: 'RB-WIN-AV-001', verdict: { verdict: 'dry_run' } });
    expect([incident.state, story.at(-1)?.what]).toEqual(['ticketed', 'dry_run']);
    expectCode(() => after(held('people', 'flap'), intent), 'internal');
  });

  it('is armed again when its rule changes: what was tried before does not count, what came back still does', () => {
    const { incident } = after(intent, changed, result('healed'), drift, held('people', 'attempts'), {
      event: 'rearmed',
      sentence: 'the rule av-off is now version 2',
    });
    // Looks from before people looked at it are no first look of what comes after.
    expect(incident).toMatchObject({ state: 'seen', attemptsFrom: T + 360, held: null, seenAt: [] });
    expect(incident.recurredAt).toHaveLength(1);
  });

  it('a waiver takes it away, and its end brings it back', () => {
    const waived = { event: 'waived', sentence: 'waived until spring' } as const;
    expect(after(held('people', 'flap'), waived).incident.state).toBe('waived');
    expect(after(waived, drift).incident).toMatchObject({ state: 'seen', recurredAt: [] });
  });

  const anyEvent: fc.Arbitrary<Short> = fc.constantFrom<Short>(
    ...[drift, pass, intent, changed, held('wait', 'cool_down', T + 9), held('people', 'flap')],
    ...(['healed', 'reverted', 'rollback_failed', 'failed', 'interrupted'] as const).map(result),
    ...[
      { event: 'unknown', sentence: 'somebody said so' } as const,
      { event: 'waived', sentence: 'somebody said so' } as const,
    ],
    ...[{ event: 'rearmed', sentence: 'somebody said so' } as const, { event: 'tick' } as const],
  );
  const history = fc.array(fc.tuple(anyEvent, fc.integer({ min: -600, max: 2 * STABLE_S })), { maxLength: 40 });

  it('whatever happens in whatever order: healed only after verifying, time never goes back, and every state explains itself', () => {
    fc.assert(
      fc.property(history, (events) => {
        let { incident } = first;
        const story = [first.line!];
        let at = T;
        for (const [event, wait] of events) {
          at += wait;
          let step;
          try {
            step = stepIncident(incident, { at, ...event });
          } catch (error) {
            if (isAgentError(error) && error.code === 'internal') continue;
            throw error;
          }
          const next = step.incident;
          if (next.state === 'healed' && incident.state !== 'healed') expect(incident.state).toBe('verifying');
          if (next.state === 'acting') expect(['seen', 'waiting', 'acting']).toContain(incident.state);
          if (next.state === 'closed' && incident.state !== 'closed') expect(incident.passingSince).not.toBeNull();
          if (next.state !== incident.state) expect(step.line).not.toBeNull();
          expect(next.changedAt).toBeGreaterThanOrEqual(incident.changedAt);
          expect({ ...next, ...KEY, id: ID }).toEqual(next);
          incident = next;
          if (step.line !== null) story.push(step.line);
          const { why, next: then } = explainIncident(incident, story);
          expect([why.length > 5, then.length > 5]).toEqual([true, true]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('reaches every state that is named', () => {
    const reached = [
      after(),
      after(held('wait', 'window', T + 9)),
      after(intent),
      after(intent, changed),
      after(intent, changed, result('healed')),
      after(pass),
      after(held('people', 'flap')),
      after({ event: 'waived', sentence: 'somebody said so' }),
      after(pass, { event: 'tick', at: T + 2 * STABLE_S }),
    ];
    expect(new Set(reached.map(({ incident }) => incident.state))).toEqual(new Set(INCIDENT_STATES));
  });
});

describe('incidents in the store', () => {
  it('are one for each target, check and condition, and the next process goes on where the story ends', () =>
    withDir((dir) => {
      let store = open(dir);
      const opened = recordDrift(store, () => ID, KEY, { at: T, seq: 10, ...DRIFT });
      expect(opened).toEqual(first.incident);
      const never = () => expect.fail('a second incident for the same drift');
      expect(recordDrift(store, never, KEY, { at: T + 60, ...DRIFT }).id).toBe(ID);
      recordStep(store, ID, { ...intent, at: T + 120, seq: 12 });
      store.close();
      store = open(dir);
      const kept = incidentOf(store.incidents.get(ID)!);
      expect(kept).toMatchObject({ state: 'acting', seenAt: [T, T + 60] });
      recordStep(store, ID, { ...result('interrupted'), at: T + 180, seq: 13 });
      expect(store.incidents.lines(ID).map(({ what, evidenceSeq }) => [what, evidenceSeq])).toEqual([
        ['seen', 10],
        ['acting', 12],
        ['interrupted', 13],
      ]);
      const other = '019e0000-0000-7000-8000-0000000000c2';
      recordDrift(store, () => other, { ...KEY, condition: 'av-old' }, { at: T, ...DRIFT });
      expect(store.incidents.list({ limit: 9 })).toHaveLength(2);
      store.close();
    }));

  it('a step that does not follow leaves row and story as they were', () =>
    withDir((dir) => {
      const store = open(dir);
      recordDrift(store, () => ID, KEY, { at: T, ...DRIFT });
      const before = [store.incidents.get(ID), store.incidents.lines(ID)];
      expectCode(() => recordStep(store, ID, { ...result('healed'), at: T + 1 }), 'internal');
      expect([store.incidents.get(ID), store.incidents.lines(ID)]).toEqual(before);
      expectCode(() => recordStep(store, 'nobody', { ...pass, at: T }), 'incident_unknown');
      store.close();
    }));

  it('a step that is undone with the entry that it belongs to is undone whole', () =>
    withDir((dir) => {
      const store = open(dir);
      recordDrift(store, () => ID, KEY, { at: T, ...DRIFT });
      const failing = () =>
        store.unit(() => {
          recordStep(store, ID, { ...intent, at: T + 1 });
          throw new Error('the entry could not be written');
        });
      expect(failing).toThrow('could not be written');
      expect(incidentOf(store.incidents.get(ID)!).state).toBe('seen');
      expect(store.incidents.lines(ID)).toHaveLength(1);
      store.close();
    }));

  it('a row that this program did not write is said to be damaged', () =>
    withDir((dir) => {
      const store = open(dir);
      recordDrift(store, () => ID, KEY, { at: T, ...DRIFT });
      const row = store.incidents.get(ID)!;
      for (const damaged of [{ state: 'fixed' }, { detail: '{}' }, { detail: 'no JSON' }]) {
        expectCode(() => incidentOf({ ...row, ...damaged }), 'store_corrupt');
      }
      store.close();
    }));
});
