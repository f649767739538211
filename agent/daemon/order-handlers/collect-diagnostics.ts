// Order kind `collect_diagnostics`: counts, states and versions that the agent knows of itself, from a closed list.
import { statfsSync } from 'node:fs';
import type { DiagnosticItem } from '../../guards/order-params.ts';
import { paramsOf } from '../../guards/order-params.ts';
import type { OrderHandler, OrderResult } from '../../orders/order-handler.ts';
import type { DaemonContext } from '../context.ts';
import { nowSeconds } from '../context.ts';
import { countResults } from './run-check.ts';

export function collectDiagnosticsHandler(context: DaemonContext): OrderHandler {
  return {
    kind: 'collect_diagnostics',
    does: 'work',
    deadlineMs: 10_000,
    act(order) {
      const { items } = paramsOf('collect_diagnostics', order);
      const result = Object.assign({}, ...items.map((item) => COLLECTORS[item](context))) as OrderResult;
      return Promise.resolve({ kind: 'done', sentence: `${items.length} items were collected.`, result });
    },
    verify: () => ({}),
  };
}

/** One collector for each item; keys begin with the item's name, so that items never overwrite each other. */
const COLLECTORS: Readonly<Record<DiagnosticItem, (context: DaemonContext) => OrderResult>> = {
  status: ({ state, startedAt, clock }) => ({
    status_state: state.lifecycle,
    status_uptime_s: nowSeconds(clock) - startedAt,
    status_checkin_failures: state.checkinFailures,
    status_rss_bytes: process.memoryUsage.rss(),
  }),
  versions: ({ build }) => ({
    versions_agent: build.version,
    versions_node: process.version,
    versions_sqlite: process.versions['sqlite'] ?? null,
    versions_openssl: process.versions.openssl,
  }),
  trust: ({ state }) => ({
    trust_root_version: state.enrolled?.trust.root().root.version ?? null,
    trust_content_version: state.enrolled?.trust.content()?.value.version ?? null,
    trust_policy_version: state.enrolled?.trust.policy()?.value.version ?? null,
    trust_problems: state.enrolled?.trust.problems().length ?? 0,
  }),
  queue: ({ state }) => ({
    queue_entries: state.enrolled?.uplink.queue().entries ?? 0,
    queue_bytes: state.enrolled?.uplink.queue().bytes ?? 0,
    queue_stored_size: state.enrolled?.uplink.storedSize() ?? 0,
  }),
  clock: ({ state }) => ({ clock_synchronised: state.clockSynchronised, clock_offset_ms: state.clockOffsetMs }),
  disk: ({ config }) => {
    const { bavail, blocks, bsize, files, ffree } = statfsSync(config.state_dir);
    return {
      disk_free_bytes: bavail * bsize,
      disk_total_bytes: blocks * bsize,
      disk_inodes: files,
      disk_inodes_free: ffree,
    };
  },
  findings: ({ state }) =>
    Object.fromEntries(
      Object.entries(countResults([...state.findings.values()])).map(([key, value]) => [`findings_${key}`, value]),
    ),
  orders: ({ store }) => ({
    orders_open: store.orders.inStates(['accepted', 'started', 'handed_over']).length,
    orders_refused: store.orders.refusals(1_000).length,
  }),
};
