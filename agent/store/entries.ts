// The evidence log's rows: exact lines in order, and the log's size, last leaf and compact range beside them.
import { AgentError } from '../errors/agent-error.ts';
import type { Db } from './connection.ts';
import { rowSum } from './row-sums.ts';

const HASH_BYTES = 32;

export interface NewEntry {
  readonly epoch: number;
  readonly seq: number;
  readonly kind: string;
  readonly targetId: string | null;
  readonly checkId: string | null;
  /** Unix seconds. */
  readonly observedTo: number;
  /** The envelope's one JSON line without its LF. */
  readonly line: string;
  readonly leaf: Buffer;
  /** Compact range of the log *with* this entry. */
  readonly range: readonly Buffer[];
}

export interface LogState {
  readonly size: number;
  /** Lengths of all lines, without LFs. */
  readonly bytes: number;
  readonly lastLeaf: Buffer | null;
  readonly range: Buffer[];
}

export interface EntryRow {
  readonly seq: number;
  readonly kind: string;
  readonly targetId: string | null;
  readonly checkId: string | null;
  readonly observedTo: number;
  readonly line: string;
}

export interface EntryFilter {
  readonly fromSeq?: number;
  /** Exclusive. */
  readonly toSeq?: number;
  readonly kind?: string;
  readonly limit: number;
  readonly newestFirst?: boolean;
}

export interface EntriesTable {
  /** Adds entry `seq`, which must be the next one. There is no way to change one; what may be removed: prunes.ts. */
  append(row: NewEntry): void;
  state(epoch: number): LogState;
  get(epoch: number, seq: number): EntryRow | null;
  /**
   * Lines from `fromSeq` on without a hole, at least one when `fromSeq` is there, then as many as fit both limits. Empty at the
   * log's end and where the line was pruned.
   */
  range(
    epoch: number,
    fromSeq: number,
    limits: { maxEntries: number; maxBytes: number },
  ): { seq: number; line: string }[];
  list(epoch: number, filter: EntryFilter): EntryRow[];
  /** The newest `count` rows with their leaf hashes, oldest first: for the check at the start. */
  tail(epoch: number, count: number): { seq: number; line: string; leaf: Buffer }[];
  /** Leaf hashes of up to `count` entries from `fromSeq` on, one after the other, up to the first one that was pruned. */
  leaves(epoch: number, fromSeq: number, count: number): Buffer;
  /** Entries by kind in fromSeq ≤ seq < toSeq. */
  countKinds(epoch: number, fromSeq: number, toSeq: number): Record<string, number>;
  epochs(): number[];
}

interface StateRow {
  size: number;
  bytes: number;
  last_leaf: Buffer;
  range: Buffer;
}

/** Rows are numbered epoch * 2^32 + seq, so that one key orders the whole table. */
const SEQS_PER_EPOCH = 2 ** 32;
/** The largest epoch whose rows still have numbers below 2^53. */
const MAX_EPOCH = 2 ** 21 - 1;
const SEQ = `id % ${SEQS_PER_EPOCH} AS seq`;
const COLUMNS = `${SEQ}, kind, target_id AS targetId, check_id AS checkId, observed_to AS observedTo, line`;
const RARE = "kind NOT IN ('finding', 'heartbeat')";

/** Row number of an entry. A seq beyond the epoch's range means "after its last". */
export function rowOf(epoch: number, seq: number): number {
  if (epoch > MAX_EPOCH)
    throw new AgentError('internal', 'the store has no room for this epoch', { details: { epoch } });
  return epoch * SEQS_PER_EPOCH + Math.min(Math.max(seq, 0), SEQS_PER_EPOCH - 1);
}
const EMPTY: LogState = { size: 0, bytes: 0, lastLeaf: null, range: [] };

const splitRange = (blob: Buffer): Buffer[] =>
  Array.from({ length: blob.length / HASH_BYTES }, (_, i) => blob.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES));

/** The rows that follow each other from `fromSeq` on: beyond a pruned one nothing is in its place. */
function unbroken<R extends { readonly seq: number }>(rows: R[], fromSeq: number): R[] {
  const hole = rows.findIndex(({ seq }, i) => seq !== fromSeq + i);
  return hole === -1 ? rows : rows.slice(0, hole);
}

export function entriesTable(db: Db): EntriesTable {
  const insert = db.query(
    `INSERT INTO entries (id, kind, target_id, check_id, observed_to, leaf, sum, line)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const beginLog = db.query(
    'INSERT INTO log_state (size, bytes, last_leaf, range, sum, epoch) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const growLog = db.query(
    `UPDATE log_state SET size = ?, bytes = bytes + ?, last_leaf = ?, range = ?, sum = ? WHERE epoch = ? AND size = ?`,
  );
  const loadState = db.query<StateRow>('SELECT size, bytes, last_leaf, range FROM log_state WHERE epoch = ?');
  const one = db.query<EntryRow>(`SELECT ${COLUMNS} FROM entries WHERE id = ?`);
  const lengths = db.query<{ id: number; length: number }>(
    `SELECT id, length(line) AS length FROM entries WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?`,
  );
  const between = db.query<{ seq: number; line: string }>(
    `SELECT ${SEQ}, line FROM entries WHERE id BETWEEN ? AND ? ORDER BY id`,
  );
  const tail = db.query<{ seq: number; line: string; leaf: Buffer }>(
    `SELECT ${SEQ}, line, leaf FROM entries WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?`,
  );
  const leaves = db.query<{ seq: number; leaf: Buffer }>(
    `SELECT ${SEQ}, leaf FROM entries WHERE id >= ? AND id < ? ORDER BY id`,
  );
  const kinds = db.query<{ kind: string; n: number }>(
    'SELECT kind, count(*) AS n FROM entries WHERE id >= ? AND id < ? GROUP BY kind ORDER BY kind',
  );
  const epochs = db.query<{ epoch: number }>('SELECT epoch FROM log_state ORDER BY epoch');
  const listWhere = (condition: string, order: 'ASC' | 'DESC') =>
    db.query<EntryRow>(
      `SELECT ${COLUMNS} FROM entries WHERE id >= @from AND id < @to AND ${condition} ORDER BY id ${order} LIMIT @limit`,
    );
  const bothWays = (condition: string) => ({ asc: listWhere(condition, 'ASC'), desc: listWhere(condition, 'DESC') });
  const lists = {
    any: bothWays('@kind IS NULL'),
    common: bothWays('kind = @kind'),
    rare: bothWays(`kind = @kind AND ${RARE}`),
  };

  /** The log's end as this connection, the only writer, left it. Only an undone unit can make it wrong. */
  let known: { readonly epoch: number; readonly undone: number; readonly state: LogState } | null = null;
  const remember = (epoch: number, state: LogState): LogState => {
    if (!db.raw.readonly) known = { epoch, undone: db.undone(), state };
    return state;
  };
  const state = (epoch: number): LogState => {
    if (known?.epoch === epoch && known.undone === db.undone()) return known.state;
    const row = loadState.get(epoch);
    if (row === undefined) return EMPTY;
    return remember(epoch, {
      size: row.size,
      bytes: row.bytes,
      lastLeaf: row.last_leaf,
      range: splitRange(row.range),
    });
  };

  return {
    state,
    append: ({ epoch, seq, kind, targetId, checkId, observedTo, line, leaf, range }) =>
      db.join(() => {
        const id = rowOf(epoch, seq);
        const hashes = Buffer.concat(range);
        const { bytes } = state(epoch);
        insert.run(
          id,
          kind,
          targetId,
          checkId,
          observedTo,
          leaf,
          rowSum(id, kind, targetId, checkId, observedTo, leaf),
          line,
        );
        const grown = [seq + 1, line.length, leaf, hashes, rowSum(epoch, seq + 1, leaf, hashes), epoch] as const;
        const { changes } = seq === 0 ? beginLog.run(...grown) : growLog.run(...grown, seq);
        if (changes === 1) {
          remember(epoch, { size: seq + 1, bytes: bytes + line.length, lastLeaf: leaf, range: [...range] });
          return;
        }
        throw new AgentError('internal', 'an entry would leave a hole in the log', {
          place: db.path,
          details: { seq },
        });
      }),
    get: (epoch, seq) => one.get(rowOf(epoch, seq)) ?? null,
    range: (epoch, fromSeq, { maxEntries, maxBytes }) => {
      let bytes = 0;
      let last: number | null = null;
      const end = rowOf(epoch, Infinity);
      for (const { id, length } of lengths.all(rowOf(epoch, fromSeq), end, maxEntries)) {
        bytes += length + 1;
        if (last !== null && bytes > maxBytes) break;
        last = id;
      }
      return last === null ? [] : unbroken(between.all(rowOf(epoch, fromSeq), last), fromSeq);
    },
    list: (epoch, { fromSeq = 0, toSeq = Infinity, kind = null, limit, newestFirst = false }) => {
      const found = kind === null ? lists.any : kind === 'finding' || kind === 'heartbeat' ? lists.common : lists.rare;
      const bounds = { from: rowOf(epoch, fromSeq), to: rowOf(epoch, toSeq) };
      return found[newestFirst ? 'desc' : 'asc'].all({ ...bounds, kind, limit });
    },
    tail: (epoch, count) => tail.all(rowOf(epoch, 0), rowOf(epoch, Infinity), count).toReversed(),
    leaves: (epoch, fromSeq, count) =>
      Buffer.concat(
        unbroken(leaves.all(rowOf(epoch, fromSeq), rowOf(epoch, fromSeq + count)), fromSeq).map(({ leaf }) => leaf),
      ),
    countKinds: (epoch, fromSeq, toSeq) =>
      Object.fromEntries(kinds.all(rowOf(epoch, fromSeq), rowOf(epoch, toSeq)).map(({ kind, n }) => [kind, n])),
    epochs: () => epochs.all().map(({ epoch }) => epoch),
  };
}
