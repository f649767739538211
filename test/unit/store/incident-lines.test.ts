import { describe, expect, it } from 'vitest';
import { MAX_INCIDENT_LINES } from '../../../agent/store/incidents.ts';
import { withDir } from '../../support/evidence-fixtures.ts';
import { open } from '../../support/store-fixtures.ts';

const row = (n: number) => ({
  ...{ incidentId: `incident-${n}`, targetId: `pc-${n}`, checkId: 'windows_av', condition: 'av-off' },
  ...{ state: 'seen', severity: 'high', openedAt: 1, changedAt: 1, nextStepAt: null, detail: '{}' },
});
const line = (at: number) => ({ at, what: 'recurred', sentence: 'off again', evidenceSeq: null });

describe('the story of an incident', () => {
  it('of drift that comes and goes for ever keeps its newest lines, and no other story loses one', () =>
    withDir((dir) => {
      const store = open(dir);
      try {
        store.incidents.put(row(2), [line(1)]);
        store.unit(() => {
          for (let at = 1; at <= MAX_INCIDENT_LINES + 50; at += 1) store.incidents.put(row(1), [line(at)]);
        });
        const kept = store.incidents.lines('incident-1').map(({ at }) => at);
        expect([kept.length, kept[0], kept.at(-1)]).toEqual([MAX_INCIDENT_LINES, 51, MAX_INCIDENT_LINES + 50]);
        expect(store.incidents.lines('incident-2')).toHaveLength(1);
      } finally {
        store.close();
      }
    }));
});
