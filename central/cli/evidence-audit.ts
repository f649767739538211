import { EXIT } from '../../agent/errors/exit-codes.ts';
import { storeAddressText } from '../evidence-store/store-address.ts';
import { chosenStore } from '../service/choose-store.ts';
import type { FindingRow } from '../store/audit-table.ts';
import { print, table, when, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly limit: number;
}

/** What the audit of the server has found so far. Exit 4 while any of it is open. */
export async function showAudit(o: Options): Promise<void> {
  await withRecords(o, ({ store }) => {
    const state = store.audit.state();
    const findings = store.audit.findings(o.limit);
    const open = findings.filter((finding) => finding.resolved_at === null);
    const place = storeAddressText(chosenStore(store));
    const protection = store.setting('evidence_protection');
    const lines = [
      `evidence in     ${place}`,
      `protection      ${protection ?? 'unknown: serve has not run yet'}`,
      `last run        ${when(state?.last_run_at ?? null)}${state?.last_error == null ? '' : `, stopped: ${state.last_error}`}`,
      `whole pass      ${when(state?.completed_at ?? null)}${counts(state)}`,
      `open findings   ${open.length}`,
    ];
    print(o, { store: place, protection, state, findings }, [...lines, ...rowsOf(findings)].join('\n'));
    if (open.length > 0) process.exitCode = EXIT.verification;
  });
}

const counts = (state: { completed_at: number | null; completed_objects: number; completed_bytes: number } | null) =>
  state?.completed_at == null ? '' : `, ${state.completed_objects} objects, ${state.completed_bytes} bytes`;

function rowsOf(findings: readonly FindingRow[]): string[] {
  if (findings.length === 0) return [];
  const cells = findings.map((finding) => [
    when(finding.last_seen_at),
    finding.resolved_at === null ? 'open' : 'resolved',
    finding.kind,
    finding.object_id,
    finding.sentence,
  ]);
  return ['', table(['SEEN', 'STATE', 'FINDING', 'OBJECT', 'DETAIL'], cells)];
}
