// `orders`: the journal of orders and refusals, newest first.
import { EXIT } from '../errors/exit-codes.ts';
import type { CliContext } from './deps.ts';
import { stateDirOf, withEnrolledStore } from './open-state.ts';
import { print } from './print.ts';
import { columns, painter, utc } from './style.ts';

export async function orders(context: CliContext, options: { limit: number }): Promise<number> {
  return withEnrolledStore(context, stateDirOf(context), (store) => {
    const journal = store.orders.list(options.limit).map((row) => ({
      at: row.at,
      accepted_at: row.acceptedAt,
      order_id: row.orderId,
      order_seq: row.seq,
      epoch: row.epoch,
      kind: row.kind,
      state: row.state,
      outcome: row.outcome,
      code: row.code,
      sentence: row.sentence,
      order_sha256: row.digest,
      evidence_seq: row.evidenceSeq,
    }));
    const refusals = store.orders.refusals(options.limit).map((row) => ({
      at: row.at,
      order_id: row.orderId,
      outcome: row.outcome,
      code: row.code,
      sentence: row.sentence,
      order_sha256: row.digest,
      evidence_seq: row.evidenceSeq,
    }));
    const paint = painter(context.stdout, context.env);
    print(context, 'orders', { orders: journal, refusals }, () => {
      const rows = [
        ...journal.map((row) => ({ ...row, what: row.kind, became: row.outcome ?? row.state })),
        ...refusals.map((row) => ({ ...row, what: 'refused', became: row.outcome })),
      ].toSorted((a, b) => b.at - a.at);
      if (rows.length === 0) return ['no orders yet'];
      return columns(
        rows.map((row) => [
          utc(row.at),
          row.what,
          row.became,
          row.evidence_seq === null ? '' : `#${row.evidence_seq}`,
          `${row.code === null ? '' : `${row.code}: `}${row.sentence ?? ''}`,
        ]),
        (text, column, row) => (column === 2 && rows[row]?.what === 'refused' ? paint('red', text) : text),
      );
    });
    return EXIT.ok;
  });
}
