// A journal row as the check-in reports it. Pure.
import type { ReportRow } from '../store/open-store.ts';
import type { OrderReport } from '../wire/schemas/order.ts';

/** Absent instead of null where the schema says so. */
export function orderReport(row: ReportRow): OrderReport {
  return {
    order_id: row.order_id,
    payload_sha256: row.payload_sha256,
    state: row.state,
    ...(row.outcome === null ? {} : { outcome: row.outcome as NonNullable<OrderReport['outcome']> }),
    ...(row.code === null ? {} : { code: row.code }),
    evidence_seq: row.evidence_seq,
    at: row.at,
  };
}
