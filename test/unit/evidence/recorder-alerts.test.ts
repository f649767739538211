// Alerts as entries: raised once, written anew where they change, cleared; of the appliance and of targets.
import { describe, expect, it } from 'vitest';
import { createRecorder, type Recorder } from '../../../agent/evidence/recorder.ts';
import type { EntryKind, PredicateOf } from '../../../agent/wire/schemas/entry.ts';
import { openLog, statementsOf, withDir, withLog, type OpenLog } from '../../support/evidence-fixtures.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const recorderOf = ({ store, log, clock }: OpenLog): Recorder => createRecorder({ store, log, clock });

const entriesOf = <K extends EntryKind>({ store }: OpenLog, kind: K): PredicateOf<K>[] =>
  statementsOf(store).flatMap(({ predicate }) => (predicate.kind === kind ? [predicate as PredicateOf<K>] : []));

const withRecorder = (fn: (recorder: Recorder, open: OpenLog) => void): void =>
  withLog((open) => fn(recorderOf(open), open));

describe('alerts', () => {
  it('are written once when raised and once when cleared, across restarts', () =>
    withDir((dir) => {
      let open = openLog(dir);
      const again = (): Recorder => {
        open.store.close();
        open = openLog(dir);
        return recorderOf(open);
      };
      const first = recorderOf(open);
      expect(first.clear('central_unreachable')).toBe(false);
      expect(first.raise('central_unreachable', { severity: 'medium', details: { cause: 'connect_failed' } })).toBe(
        true,
      );
      expect(first.raise('central_unreachable', { severity: 'medium' })).toBe(false);
      const second = again();
      expect(second.raise('central_unreachable', { severity: 'medium' })).toBe(false);
      expect(second.raised()).toEqual(['central_unreachable']);
      expect(second.clear('central_unreachable')).toBe(true);
      expect(again().clear('central_unreachable')).toBe(false);
      expect(entriesOf(open, 'alert').map((a) => [a.code, a.state, a.severity, a.details])).toEqual([
        ['central_unreachable', 'raised', 'medium', { cause: 'connect_failed' }],
        ['central_unreachable', 'cleared', 'medium', {}],
      ]);
      open.store.close();
    }));

  it('of one target are none of another one, nor of the appliance, and are cleared one by one', () =>
    withRecorder((recorder, open) => {
      const raise = (target?: string): boolean =>
        recorder.raise('target_certificate_ends', {
          severity: 'low',
          details: { ends_at: NOW },
          ...(target === undefined ? {} : { target }),
        });
      expect([raise('srv-1'), raise('srv-2'), raise('srv-1'), raise()]).toEqual([true, true, false, true]);
      expect(recorder.raised()).toEqual(['target_certificate_ends']);
      expect(recorder.clear('target_certificate_ends', 'srv-3')).toBe(false);
      expect(recorder.clear('target_certificate_ends', 'srv-1')).toBe(true);
      expect(recorder.alerts().map(({ target }) => target)).toEqual(['srv-2', null]);
      expect(recorder.clear('target_certificate_ends')).toBe(true);
      expect(recorder.alerts().map(({ target }) => target)).toEqual(['srv-2']);
      expect(entriesOf(open, 'alert').map(({ state, details }) => [state, details])).toEqual([
        ['raised', { ends_at: NOW, target: 'srv-1' }],
        ['raised', { ends_at: NOW, target: 'srv-2' }],
        ['raised', { ends_at: NOW }],
        ['cleared', { target: 'srv-1' }],
        ['cleared', {}],
      ]);
    }));

  it('of a newer version, which an update went back from, are left to it and tell nobody anything here', () =>
    withRecorder((recorder, { store }) => {
      const newer = { severity: 'high', at: NOW };
      store.settings.set('evidence.alerts', JSON.stringify({ from_a_later_day: newer, 'later_too/srv-1': newer }));
      recorder.raise('disk_low', { severity: 'low' });
      expect(recorder.alerts()).toEqual([{ code: 'disk_low', severity: 'low', target: null }]);
      recorder.clear('disk_low');
      expect(Object.keys(JSON.parse(store.settings.get('evidence.alerts') ?? '') as object)).toEqual([
        'from_a_later_day',
        'later_too/srv-1',
      ]);
    }));

  it('are written anew when they become more or less severe, and not again until they change', () =>
    withRecorder((recorder, open) => {
      const raise = (severity: 'low' | 'high') => recorder.raise('disk_low', { severity });
      expect([raise('low'), raise('low'), raise('high'), raise('high'), raise('low')]).toEqual([
        true,
        false,
        true,
        false,
        true,
      ]);
      expect(recorder.alerts()).toEqual([{ code: 'disk_low', severity: 'low', target: null }]);
      expect(entriesOf(open, 'alert').map(({ severity }) => severity)).toEqual(['low', 'high', 'low']);
    }));
});
