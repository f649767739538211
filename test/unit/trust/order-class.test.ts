import { describe, it, expect } from 'vitest';
import { classOfKind, compareClasses, requiredClass } from '../../../agent/trust/order-class.ts';
import { ORDER_KINDS, type Order } from '../../../agent/wire/schemas/order.ts';
import { DISRUPTIVE_RUNBOOK, makeTrust, RUNBOOK } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const content = trust.contentList();
const required = (partial: Partial<Order>) => requiredClass(trust.order(partial), content);

describe('the class of an order', () => {
  it('is that of its kind where nothing else raises it', () => {
    expect(ORDER_KINDS.map((kind) => `${kind} ${classOfKind(kind)}`)).toEqual([
      'run_check read',
      'sync_content read',
      'collect_diagnostics read',
      'restart_agent routine',
      'set_healing routine',
      'retry_credentials routine',
      'run_runbook routine',
      'reboot disruptive',
      'update_system disruptive',
      'rotate_device_key disruptive',
      'new_epoch disruptive',
    ]);
  });
  it('never depends on what the order declares', () => {
    const classes = (['read', 'routine', 'disruptive'] as const).map((declared) =>
      required({ kind: 'restart_agent', class: declared }),
    );
    expect(classes).toEqual(['routine', 'routine', 'routine']);
  });
  it('is raised by the class of its runbook, and never lowered by it', () => {
    expect(required({ kind: 'run_runbook', runbook: RUNBOOK })).toBe('routine');
    expect(required({ kind: 'run_runbook', runbook: DISRUPTIVE_RUNBOOK })).toBe('disruptive');
    const reads = {
      ...content,
      files: content.files.map((f) => (f.kind === 'runbook' ? { ...f, class: 'read' as const } : f)),
    };
    expect(requiredClass(trust.order({ kind: 'run_runbook', runbook: RUNBOOK }), reads)).toBe('routine');
  });
  it('is disruptive for a runbook that is not listed', () => {
    expect(required({ kind: 'run_runbook', runbook: { ...RUNBOOK, version: 7 } })).toBe('disruptive');
    expect(requiredClass(trust.order({ kind: 'run_runbook', runbook: RUNBOOK }), null)).toBe('disruptive');
  });
  it('is disruptive when the window is overridden, even for a check', () => {
    expect(required({ window: { mode: 'override', reason: 'now' } })).toBe('disruptive');
  });
  it('is disruptive for every set_healing that is not a pause', () => {
    const of = (params: Order['params']) => required({ kind: 'set_healing', params });
    expect(of({ action: 'pause' })).toBe('routine');
    const others = [{ action: 'enable' }, { action: 'rearm' }, { action: 'close_breaker' }, {}, { action: ['pause'] }];
    expect([...others, { action: 'pause ' }].map(of)).toEqual(Array.from({ length: 6 }, () => 'disruptive'));
  });
  it('ranks read below routine below disruptive', () => {
    expect(compareClasses('read', 'routine')).toBeLessThan(0);
    expect(compareClasses('disruptive', 'routine')).toBeGreaterThan(0);
    expect(compareClasses('read', 'read')).toBe(0);
  });
});
