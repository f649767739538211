// Hands the orders' room what it needs, with one handler for each supported kind.
import type { CarryOutDeps } from '../orders/carry-out-orders.ts';
import type { OrderHandler } from '../orders/order-handler.ts';
import { ORDER_KINDS, type OrderKind } from '../wire/schemas/order.ts';
import { acceptanceContext } from './acceptance-context.ts';
import type { Enrolled } from './agent-state.ts';
import type { DaemonContext } from './context.ts';
import { collectDiagnosticsHandler } from './order-handlers/collect-diagnostics.ts';
import { restartAgentHandler } from './order-handlers/restart-agent.ts';
import { nextEpochHandler } from './order-handlers/next-epoch.ts';
import { retryCredentialsHandler } from './order-handlers/retry-credentials.ts';
import { rebootHandler } from './order-handlers/reboot.ts';
import { runCheckHandler } from './order-handlers/run-check.ts';
import { runRunbookHandler } from './order-handlers/run-runbook.ts';
import { syncContentHandler } from './order-handlers/sync-content.ts';
import { setHealingHandler } from './order-handlers/set-healing.ts';
import { updateSystemHandler } from './order-handlers/update-system.ts';

/** Kinds that may take long, carried out beside the others (stages/runbooks-stage.ts). */
export const RUNBOOK_LANE: ReadonlySet<OrderKind> = new Set(['run_runbook']);
/** All other kinds. */
export const ORDERS_LANE: ReadonlySet<OrderKind> = new Set(ORDER_KINDS.filter((kind) => !RUNBOOK_LANE.has(kind)));

export function orderDeps(enrolled: Enrolled, context: DaemonContext, runId: string): CarryOutDeps {
  const handlers: OrderHandler[] = [
    runCheckHandler(context),
    syncContentHandler(enrolled, context),
    collectDiagnosticsHandler(context),
    restartAgentHandler(context),
    setHealingHandler(context),
    nextEpochHandler('rotate_device_key', enrolled, context),
    nextEpochHandler('new_epoch', enrolled, context),
    retryCredentialsHandler(context),
    runRunbookHandler(context),
    rebootHandler(context),
    updateSystemHandler(context),
  ];
  return {
    store: context.store,
    evidence: enrolled.evidence,
    log: context.log.child({ run_id: runId, stage: 'orders' }),
    clock: context.clock,
    acceptance: () => acceptanceContext(enrolled, context),
    handlers: new Map(handlers.map((handler) => [handler.kind, handler])),
    instance: context.instance,
  };
}
