// The class of an order is derived from what it does, never taken from what it says.
import type { ContentList } from '../wire/schemas/content.ts';
import type { Order, OrderKind } from '../wire/schemas/order.ts';
import type { OrderClass } from '../wire/schemas/primitives.ts';
import { runbookClass } from './content-list.ts';

const CLASS_OF_KIND: Readonly<Record<OrderKind, OrderClass>> = {
  run_check: 'read',
  sync_content: 'read',
  collect_diagnostics: 'read',
  restart_agent: 'routine',
  set_healing: 'routine',
  retry_credentials: 'routine',
  run_runbook: 'routine',
  reboot: 'disruptive',
  update_system: 'disruptive',
  rotate_device_key: 'disruptive',
  new_epoch: 'disruptive',
};

const RANK: Readonly<Record<OrderClass, number>> = { read: 0, routine: 1, disruptive: 2 };

/** Negative, zero or positive as `a` is below, equal to or above `b`. */
export function compareClasses(a: OrderClass, b: OrderClass): number {
  return RANK[a] - RANK[b];
}

/** The least class of a kind, before params, runbook and window are looked at. */
export function classOfKind(kind: OrderKind): OrderClass {
  return CLASS_OF_KIND[kind];
}

/**
 * max(class of the kind with its params, class of the runbook in the content list, `disruptive` if the order overrides the
 * window). A runbook that is not listed counts as disruptive; so does every `set_healing` that is not a pause.
 */
export function requiredClass(
  order: Pick<Order, 'kind' | 'params' | 'runbook' | 'window'>,
  content: ContentList | null,
): OrderClass {
  const own = classWithoutRunbook(order);
  if (order.runbook === undefined) return own;
  const runbook = runbookClass(content, order.runbook) ?? 'disruptive';
  return compareClasses(runbook, own) > 0 ? runbook : own;
}

/** The part of the class that does not depend on the content list. */
export function classWithoutRunbook(order: Pick<Order, 'kind' | 'params' | 'window'>): OrderClass {
  if (order.window.mode === 'override') return 'disruptive';
  if (order.kind === 'set_healing' && order.params['action'] !== 'pause') return 'disruptive';
  return classOfKind(order.kind);
}
