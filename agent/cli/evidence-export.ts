// `evidence export`: the auditor bundle, whole: every signed line, the roots, receipts and checkpoints, a verifier that is not
// ours to run, and views for people. The same log makes the same bytes.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { CHECKS } from '../checks/registry.ts';
import { bundleReadme } from '../report/bundle-readme.ts';
import { CSV_HEAD, csvRow } from '../report/entries-csv.ts';
import type { ReportLog, ReportNames } from '../report/report-input.ts';
import { createReportCollector, type Period } from '../report/report-model.ts';
import { reportHtml } from '../report/report-html.ts';
import type { EnrolledIdentity, Store } from '../store/open-store.ts';
import { readFileLimited } from '../system/files.ts';
import { createLogVerifier } from '../verify/log-verifier.ts';
import { verifyReceipt } from '../verify/verify-receipt.ts';
import { parseDocument } from '../wire/document.ts';
import { parseEnvelope } from '../wire/dsse.ts';
import { joinNotes } from '../wire/note-file.ts';
import { MAX_ENTRY_BYTES, type Predicate } from '../wire/schemas/entry.ts';
import { createBundleWriter, type BundleWriter } from '../bundle/bundle-writer.ts';
import type { CliContext } from './deps.ts';
import { stateDirOf, withEnrolledStore } from './open-state.ts';
import { parsePeriod } from './parse-period.ts';
import { print } from './print.ts';
import { createProgress } from './progress.ts';
import { rootChain, type RootChain } from '../bundle/root-chain.ts';
import { columns, painter } from './style.ts';

export interface ExportOptions {
  readonly out?: string;
  readonly from?: string;
  readonly to?: string;
}

const PAGE = { maxEntries: 500, maxBytes: 4 * 1_024 * 1_024 };
const MAX_VERIFIER_BYTES = 262_144;
/** In the source tree and in a build the program lies two folders below the top. */
const VERIFIER = join(import.meta.dirname, '..', '..', 'docs', 'verify', 'verify.py');

function namesOf(context: CliContext): ReportNames {
  const { controls } = context.loadChecks(null);
  return {
    checks: new Map(CHECKS.map((check) => [check.id, check.title])),
    requirements: new Map(controls.flatMap((map) => map.lines.map((line) => [`${map.id} ${line.cite}`, line.title]))),
  };
}

/** Null for a line that is no entry: it goes into the bundle as it is, the verifier names it, the views leave it out. */
function predicateIn(line: string): Predicate | null {
  try {
    return parseDocument('entry', parseEnvelope(line, { maxBytes: MAX_ENTRY_BYTES }).payload).predicate;
  } catch (error) {
    if (!isAgentError(error) || error.code === 'internal') throw error;
    return null;
  }
}

/** One log: its lines to the bundle, and at the same time to the verifier, the report and the table. */
function exportLog(
  context: CliContext,
  store: Store,
  bundle: BundleWriter,
  log: { readonly origin: string; readonly epoch: number; readonly chain: RootChain; readonly period: Period },
): ReportLog {
  const { origin, epoch, chain, period } = log;
  // Fixed at the start: the daemon may go on writing.
  const { size } = store.entries.state(epoch);
  const receiptRows = store.uplink.receipts(origin).filter((row) => row.size <= size);
  const receipts = receiptRows.map((row) => verifyReceipt(chain.current.root, row.line, { origin }));
  const notes = store.checkpoints.all(origin).filter((row) => row.size <= size);
  const folder = `logs/${epoch}`;
  bundle.add(`${folder}/receipts.jsonl`, receiptRows.map((row) => `${row.line}\n`).join(''));
  bundle.add(`${folder}/checkpoints.txt`, joinNotes(notes.map((row) => row.note)));

  const { root } = chain.current;
  const checkpoints = notes.map((row) => row.note);
  const verifier = createLogVerifier({ root, earlierRoots: chain.earlier, receipts, checkpoints });
  const report = createReportCollector(period);
  const lines = bundle.open(`${folder}/0-${Math.max(0, size - 1)}.jsonl`);
  const table = bundle.open(epoch === 1 ? 'views/entries.csv' : `views/entries-${epoch}.csv`);
  table.write(CSV_HEAD);
  const progress = createProgress(context, 'exported entries');
  for (let next = 0; next < size;) {
    const page = store.entries.range(epoch, next, { ...PAGE, maxEntries: Math.min(PAGE.maxEntries, size - next) });
    if (page.length === 0) throw new AgentError('store_corrupt', `entry ${next} is missing in the store`);
    lines.write(page.map((row) => `${row.line}\n`).join(''));
    let rows = '';
    for (const { line } of page) {
      verifier.push(line);
      const predicate = predicateIn(line);
      if (predicate === null) continue;
      report.push(predicate);
      rows += csvRow(predicate);
    }
    table.write(rows);
    next += page.length;
    progress.at(next, size);
  }
  progress.end();
  lines.close();
  table.close();
  const stored = Math.max(0, ...receiptRows.map((row) => row.size));
  return { model: report.finish(), verdict: verifier.finish(), stored };
}

function writeBundle(
  context: CliContext,
  store: Store,
  identity: EnrolledIdentity,
  bundle: BundleWriter,
  period: Period,
): { logs: ReportLog[]; chain: RootChain } {
  const roots = store.trust.roots();
  const chain = rootChain(
    roots.map((row) => row.line),
    null,
    'the store',
  );
  bundle.add('root.json', roots.map((row) => `${row.line}\n`).join(''));
  bundle.add('verify.py', readFileLimited(VERIFIER, MAX_VERIFIER_BYTES).toString('utf8'));
  const logs = store.entries.epochs().map((epoch) => {
    const origin = identity.origin.replace(/[0-9]+$/, String(epoch));
    return exportLog(context, store, bundle, { origin, epoch, chain, period });
  });
  const names = namesOf(context);
  const input = { logs, period, names, rootSha256: chain.pinnedDigest, agentVersion: context.build.version };
  bundle.add('report.html', reportHtml(input));
  bundle.add('README.txt', bundleReadme(chain.pinnedDigest));
  return { logs, chain };
}

/** Exit 4 where the exported log does not verify: the bundle is written all the same, and says so first. */
export async function evidenceExport(context: CliContext, options: ExportOptions): Promise<number> {
  if (options.out === undefined) throw new AgentError('usage', 'name the folder for the bundle: --out DIR');
  const period = parsePeriod(options.from, options.to);
  if (!existsSync(VERIFIER))
    throw new AgentError('file_missing', 'the verifier for the bundle is missing', { place: VERIFIER });
  const { out } = options;
  return withEnrolledStore(context, stateDirOf(context), (store, identity) => {
    const bundle = createBundleWriter(out);
    try {
      const { logs, chain } = writeBundle(context, store, identity, bundle, period);
      const { files, manifestSha256 } = bundle.finish();
      const ok = logs.length > 0 && logs.every((log) => log.verdict.ok);
      const entries = logs.reduce((sum, log) => sum + log.model.size, 0);
      const value = {
        out,
        entries,
        files,
        manifest_sha256: manifestSha256,
        root_sha256: chain.pinnedDigest,
        verified: ok,
      };
      print(context, 'evidence-export', value, () => textOf(context, value));
      return ok ? EXIT.ok : EXIT.verification;
    } catch (error) {
      bundle.discard();
      throw error;
    }
  });
}

function textOf(
  context: CliContext,
  value: {
    out: string;
    entries: number;
    files: number;
    manifest_sha256: string;
    root_sha256: string;
    verified: boolean;
  },
): string[] {
  const paint = painter(context.stdout, context.env);
  return [
    value.verified ? paint('green', 'EXPORTED') : paint('red', 'EXPORTED, BUT THE LOG DOES NOT VERIFY'),
    ...columns([
      ['folder', value.out],
      ['entries', String(value.entries)],
      ['files', `${value.files} and MANIFEST`],
      ['MANIFEST', `SHA-256 ${value.manifest_sha256}`],
      ['trust root', `SHA-256 ${value.root_sha256}: give it to the auditor in another way than this folder`],
    ]),
  ];
}
