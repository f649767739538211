// `evidence list`: entries of the local log, and with --lines the exact signed lines for somebody else to verify.
import { AgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import type { Store } from '../store/open-store.ts';
import { ENTRY_KINDS } from '../wire/schemas/entry.ts';
import { closestName } from '../config/closest-name.ts';
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
/** Lines are read this many at a time, so that memory does not grow with the log. */
const PAGE = { maxEntries: 500, maxBytes: 4 * 1_024 * 1_024 };

function assertKind(kind: string | undefined): void {
  if (kind === undefined || ENTRY_KINDS.some((known) => known === kind)) return;
  const close = closestName(kind, ENTRY_KINDS);
  throw new AgentError('usage', `there are no entries of the kind "${kind}"`, {
    remedy: close === null ? `kinds: ${ENTRY_KINDS.join(', ')}` : `did you mean ${close}?`,
  });
}

/** Every line from `from` on, in order, byte for byte as it was signed, each ending with LF. */
function writeLines(context: CliContext, store: Store, epoch: number, options: ListOptions): void {
  let next = options.from ?? 0;
  let left = options.limit ?? Number.MAX_SAFE_INTEGER;
  while (left > 0) {
    const page = store.entries.range(epoch, next, { ...PAGE, maxEntries: Math.min(PAGE.maxEntries, left) });
    const last = page.at(-1);
    if (last === undefined) return;
    context.stdout.write(page.map((row) => `${row.line}\n`).join(''));
    next = last.seq + 1;
    left -= page.length;
  }
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
    print(
      context,
      'evidence-list',
      { origin: identity.origin, epoch, size: store.entries.state(epoch).size, entries },
      () =>
        entries.length === 0
          ? ['no such entries']
          : columns(
              entries.map((row) => [String(row.seq), utc(row.at), row.kind, row.summary]),
              (text, column) => (column === 1 ? paint('dim', text) : text),
            ),
    );
    return EXIT.ok;
  });
}
