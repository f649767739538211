import type { OrderRow, ReportRow } from '../store/order-table.ts';
import { print, table, when, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly appliance?: string;
  readonly limit: number;
}

export async function listOrders(o: Options): Promise<void> {
  await withRecords(o, ({ store, now }) => {
    const orders = store.orders
      .list(o.limit, o.appliance)
      .map((row) => describe(row, store.orders.reports(row.appliance_id, row.digest), now()));
    const foreign = store.orders
      .foreignReports(o.limit)
      .filter((report) => o.appliance === undefined || report.appliance_id === o.appliance);
    const text = [
      table(
        ['ORDER', 'APPLIANCE', 'SEQ', 'KIND', 'CLASS', 'ISSUED', 'STATE', 'OUTCOME', 'CODE'],
        orders.map((row) => [
          row.order_id,
          row.appliance_id,
          String(row.seq),
          row.kind,
          row.class,
          when(row.issued_at),
          row.state,
          row.outcome ?? '-',
          row.code ?? '-',
        ]),
      ),
      ...(foreign.length === 0
        ? []
        : [
            '',
            'Refused by appliances, but never issued here:',
            table(
              ['PAYLOAD SHA-256', 'APPLIANCE', 'AT', 'OUTCOME', 'CODE'],
              foreign.map((r) => [r.payload_sha256, r.appliance_id, when(r.at), r.outcome, r.code]),
            ),
          ]),
    ].join('\n');
    print(o, { orders, not_issued_here: foreign }, text);
  });
}

function describe(row: OrderRow, reports: ReportRow[], now: number) {
  const last = reports.at(-1);
  const { line: _line, ...shown } = row;
  return {
    ...shown,
    state: last?.state ?? (row.expires_at <= now ? 'expired' : 'outstanding'),
    outcome: last?.outcome === '' ? null : (last?.outcome ?? null),
    code: last?.code === '' ? null : (last?.code ?? null),
    reports,
  };
}
