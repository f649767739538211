import { describe, expect, it } from 'vitest';
import { dueIncidents } from '../../../agent/healing/due-incidents.ts';
import type { Incident } from '../../../agent/healing/incident.ts';

const open = (id: string, nextStepAt: number | null): Incident => ({ id, nextStepAt }) as Incident;

describe('incidents that are due', () => {
  it('are those whose date has come, those without one, and all that something else was signed for', () => {
    const due = dueIncidents();
    const all = [open('a', 100), open('b', null), open('c', 10)];
    const ids = (by: string, now: number): string[] => due.of(all, by, now).map(({ id }) => id);
    expect(ids('1', 10)).toEqual(['a', 'b', 'c']);
    for (const { id } of all) due.judged(id, '1');
    expect(ids('1', 9)).toEqual(['b']);
    expect(ids('1', 10)).toEqual(['b', 'c']);
    expect(ids('2', 9)).toEqual(['a', 'b', 'c']);
    due.judged('b', '2');
    expect(ids('2', 9)).toEqual(['a', 'b', 'c']);
    due.judged('a', '2');
    expect(ids('2', 9)).toEqual(['b', 'c']);
    due.forget();
    expect(ids('2', 9)).toEqual(['a', 'b', 'c']);
  });

  it('are forgotten with the incident, and judged anew when it is open again', () => {
    const due = dueIncidents();
    const one = open('a', 100);
    due.judged('a', '1');
    expect(due.of([one], '1', 0)).toEqual([]);
    expect(due.of([], '1', 0)).toEqual([]);
    expect(due.of([one], '1', 0)).toEqual([one]);
  });
});
