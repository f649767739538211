// What a person on the appliance said of a candidate: kept, with its entry. Nothing is put into force by it.
import { decide, type RunbookOf } from '../healing/learning/decisions.ts';
import type { ControlDrop } from '../system/status-file.ts';
import type { DaemonContext } from './context.ts';
import { nowSeconds } from './context.ts';
import { signedNow } from './note-incident.ts';

export function noteDecision(context: DaemonContext, { verb, pattern = '', rule }: ControlDrop): void {
  const { state, store, clock, log, windows, appliance } = context;
  if (state.enrolled === null) return;
  const books = [...windows.books, ...appliance.books].map(({ loaded }) => loaded);
  const runbookOf: RunbookOf = (sha256) => books.find((book) => book.sha256 === sha256)?.runbook ?? null;
  const deps = { store, evidence: state.enrolled.evidence, runbookOf };
  const decision = { state: verb === 'learning_approve' ? 'approved' : 'rejected', ruleSha256: rule ?? null } as const;
  const why = decide(deps, pattern, decision, signedNow(context) ?? nowSeconds(clock));
  if (why === null) log.info('candidate decided on', { pattern, decision: decision.state });
  else log.warn('decision about a candidate not taken', { pattern, reason: why });
}
