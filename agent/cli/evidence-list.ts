// `evidence list`: entries of the local log, and with --lines the exact signed lines for somebody else to verify.
import { AgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { logRows, textOfRow } from '../evidence/log-rows.ts';
import type { Store } from '../store/open-store.ts';
import { ENTRY_KINDS } from '../wire/schemas/entry.ts';
import { closestName } from '../errors/closest-name.ts';
import type { CliContext } from './deps.ts';
import { statementOf, summaryOf } from './entry-summary.ts';
import { stateDirOf, withEnrolledStore } from './open-state.ts';
import { print } from './print.ts';
import { columns, painter, utc } from './style.ts';

export interface ListOptions {
  readonly kind?: string;
  readonly from?: number;
  readonly limit?: number;
  readonly epoch?: number;
  readonly lines?: boolean;
}

const DEFAULT_LIMIT = 20;

function assertKind(kind: string | undefined): void {
  if (kind === undefined || ENTRY_KINDS.some((known) => known === kind)) return;
  const close = closestName(kind, ENTRY_KINDS);
  throw new AgentError('usage', `there are no entries of the kind "${kind}"`, {
    remedy: close === null ? `kinds: ${ENTRY_KINDS.join(', ')}` : `did you mean ${close}?`,
  });
}

/** Every line from `from` on, in order, byte for byte as it was signed, each ending with LF; for pruned ones their hash. */
function writeLines(context: CliContext, store: Store, epoch: number, options: ListOptions): void {
  const from = options.from ?? 0;
  const to = Math.min(store.entries.state(epoch).size, from + (options.limit ?? Number.MAX_SAFE_INTEGER));
  for (const page of logRows(store, epoch, from, to)) {
    context.stdout.write(page.map((row) => `${textOfRow(row)}\n`).join(''));
  }
}

/** What the last `epoch` entry says of its epoch, unverified; null where there is none. */
function epochStatus(store: Store, epoch: number): 'confirmed' | 'provisional' | null {
  const [last] = store.entries.list(epoch, { kind: 'epoch', newestFirst: true, limit: 1 });
  const entry = last === undefined ? null : statementOf(last.line).predicate;
  return entry?.kind === 'epoch' ? entry.status : null;
}

export async function evidenceList(context: CliContext, options: ListOptions): Promise<number> {
  assertKind(options.kind);
  return withEnrolledStore(context, stateDirOf(context), (store, identity) => {
    const epoch = options.epoch ?? identity.epoch;
    if (options.lines === true) {
      if (options.kind !== undefined)
        throw new AgentError('usage', '--lines writes every kind: a log with holes verifies nowhere');
      writeLines(context, store, epoch, options);
      return EXIT.ok;
    }
    const rows = store.entries.list(epoch, {
      limit: options.limit ?? DEFAULT_LIMIT,
      newestFirst: options.from === undefined,
      ...(options.from === undefined ? {} : { fromSeq: options.from }),
      ...(options.kind === undefined ? {} : { kind: options.kind }),
    });
    const entries = rows.map((row) => ({
      seq: row.seq,
      at: row.observedTo,
      kind: row.kind,
      target: row.targetId,
      check: row.checkId,
      summary: summaryOf(statementOf(row.line).predicate),
    }));
    const paint = painter(context.stdout, context.env);
    const status = epochStatus(store, epoch);
    const pruned = store.prunes.get(epoch)?.size ?? 0;
    print(
      context,
      'evidence-list',
      {
        origin: identity.origin.replace(/[0-9]+$/, String(epoch)),
        epoch,
        status,
        size: store.entries.state(epoch).size,
        pruned_below: pruned,
        entries,
      },
      () => {
        const rows = columns(
          entries.map((row) => [String(row.seq), utc(row.at), row.kind, row.summary]),
          (text, column) => (column === 1 ? paint('dim', text) : text),
        );
        const isAmongPruned = (options.from ?? Infinity) < pruned;
        const standing =
          status === 'confirmed'
            ? []
            : [paint('yellow', `epoch ${epoch} is provisional: people have not confirmed it yet`)];
        return [
          ...standing,
          ...(isAmongPruned
            ? [paint('dim', `of entries 0 to ${pruned - 1} only those below are here; the rest as hashes`)]
            : []),
          ...(entries.length === 0 ? ['no such entries'] : rows),
        ];
      },
    );
    return EXIT.ok;
  });
}
