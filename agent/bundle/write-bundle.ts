// The auditor bundle (docs/formats/bundle.md), written from any source of logs: signed lines, roots, receipts, checkpoints,
// timestamps, a verifier that is not ours to run, and views for people. The same logs make the same bytes.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { bundleReadme } from '../report/bundle-readme.ts';
import { CSV_HEAD, csvRow } from '../report/entries-csv.ts';
import { ocsfLine } from '../report/ocsf.ts';
import { oscalResults } from '../report/oscal.ts';
import { reportHtml } from '../report/report-html.ts';
import type { ReportInput, ReportLog, ReportNames } from '../report/report-input.ts';
import { createReportCollector, type Period, type ReportModel } from '../report/report-model.ts';
import { createLogVerifier, type LogVerdict } from '../verify/log-verifier.ts';
import { verifyReceipt } from '../verify/verify-receipt.ts';
import { parseDocument } from '../wire/document.ts';
import { parseEnvelope } from '../wire/dsse.ts';
import { encodeLeftOut, leftOutRows } from '../wire/left-out.ts';
import { leafHash } from '../wire/merkle.ts';
import { joinNotes } from '../wire/note-file.ts';
import { MAX_ENTRY_BYTES, type Predicate } from '../wire/schemas/entry.ts';
import { newestRevocations, REVOCATIONS_FILE } from './bundled-revocations.ts';
import { createBundleWriter, type BundleFile, type BundleWriter } from './bundle-writer.ts';
import type { LogRow, LogSource } from './log-source.ts';
import { planLines, stopAfter, type LinePlan, type SeqRange } from './plan-lines.ts';
import { rootChain, type RootChain } from './root-chain.ts';
import type { Revocations } from '../wire/schemas/root.ts';

export interface BundleOrder {
  /** Folder to make. */
  readonly out: string;
  /** Root documents, oldest first. */
  readonly roots: readonly string[];
  /** The partner's signed list of revocations; null where there is none. */
  readonly revocations: string | null;
  /** By appliance, then epoch. */
  readonly logs: readonly LogSource[];
  readonly period: Period;
  readonly names: ReportNames;
  /** Text of verify.py. */
  readonly verifier: string;
  readonly agentVersion: string;
  readonly progress: (done: number, total: number) => void;
}

export interface WrittenBundle {
  readonly out: string;
  /** Entries whose lines are in it, and entries of the logs in all. */
  readonly lines: number;
  readonly entries: number;
  readonly files: number;
  readonly manifest_sha256: string;
  readonly root_sha256: string;
  /** Every entry of every log verified on the way, those that are left out too. */
  readonly verified: boolean;
}

/** @throws export_refused where `out` exists, or entries went away meanwhile; what rootChain and verifyReceipt throw */
export async function writeBundle(order: BundleOrder): Promise<WrittenBundle> {
  const chain = rootChain(order.roots, null, 'the trust roots to export');
  const lists = order.revocations === null ? [] : [{ line: order.revocations, place: 'the revocations to export' }];
  const trusted: Trusted = { chain, revocations: newestRevocations(chain, lists)?.value ?? null };
  const bundle = createBundleWriter(order.out);
  try {
    bundle.add('root.json', order.roots.map((line) => `${line}\n`).join(''));
    if (order.revocations !== null) bundle.add(REVOCATIONS_FILE, `${order.revocations}\n`);
    bundle.add('verify.py', order.verifier);
    const logs: ReportLog[] = [];
    const views = { table: bundle.open('views/entries.csv'), findings: bundle.open('views/ocsf-findings.jsonl') };
    views.table.write(CSV_HEAD);
    for (const source of order.logs) logs.push(await writeLog(order, bundle, trusted, source, views));
    views.table.close();
    views.findings.close();
    const { period, names, agentVersion } = order;
    const input: ReportInput = { logs, period, names, rootSha256: chain.pinnedDigest, agentVersion };
    bundle.add('views/oscal-assessment-results.json', oscalResults(input));
    bundle.add('report.html', reportHtml(input));
    bundle.add('README.txt', bundleReadme(chain.pinnedDigest));
    const { files, manifestSha256 } = bundle.finish();
    const entries = logs.reduce((sum, log) => sum + log.model.size, 0);
    return {
      out: order.out,
      lines: logs.reduce((sum, log) => sum + log.model.size - log.leftOut, 0),
      entries,
      files,
      manifest_sha256: manifestSha256,
      root_sha256: chain.pinnedDigest,
      verified: logs.length > 0 && logs.every((log) => log.verdict.ok),
    };
  } catch (error) {
    bundle.discard();
    throw error;
  }
}

/** What the logs are judged by. */
interface Trusted {
  readonly chain: RootChain;
  readonly revocations: Revocations | null;
}

interface Views {
  readonly table: BundleFile;
  readonly findings: BundleFile;
}

async function writeLog(
  order: BundleOrder,
  bundle: BundleWriter,
  trusted: Trusted,
  source: LogSource,
  views: Views,
): Promise<ReportLog> {
  const { model, verdict, missing } = await readLog(order, trusted, source);
  const revoked = trusted.revocations?.origins.find(({ origin }) => origin === source.origin);
  const plan = planLines(source, model, order.period, missing, revoked?.trust_until_size);
  const folder = `logs/${source.applianceId}/${source.epoch}`;
  const reached = new Set(plan.stops);
  const receipts = source.receipts.filter(({ size }) => reached.has(size));
  const notes = source.checkpoints.filter(({ size }) => reached.has(size)).map(({ note }) => note);
  bundle.add(`${folder}/receipts.jsonl`, receipts.map(({ line }) => `${line}\n`).join(''));
  bundle.add(`${folder}/checkpoints.txt`, joinNotes(notes));
  for (const { size, response, text } of source.timestamps) {
    if (!reached.has(size)) continue;
    bundle.add(`${folder}/timestamps/${size}.tsr`, response);
    bundle.add(`${folder}/timestamps/${size}.txt`, text);
  }
  const lines = bundle.open(`${folder}/0-${Math.max(0, plan.end - 1)}.jsonl`);
  const left = await writeLines(source, plan, lines, (predicate) => {
    views.table.write(csvRow(predicate));
    if (predicate.kind === 'finding') views.findings.write(ocsfLine(predicate, order.names));
  });
  lines.close();
  const stored = Math.max(0, ...source.receipts.map(({ size }) => size));
  return { model, verdict, stored, leftOut: source.size - plan.end + left };
}

/** First pass: every entry to the verifier and to the report. */
async function readLog(
  order: BundleOrder,
  { chain, revocations }: Trusted,
  source: LogSource,
): Promise<{ model: ReportModel; verdict: LogVerdict; missing: SeqRange[] }> {
  const { root } = chain.current;
  const { origin } = source;
  const receipts = source.receipts.map(({ line }) => verifyReceipt(root, line, { origin }));
  const checkpoints = source.checkpoints.map(({ note }) => note);
  const verifier = createLogVerifier({ root, earlierRoots: chain.earlier, receipts, checkpoints, revocations });
  const report = createReportCollector(order.period);
  const missing: { from: number; to: number }[] = [];
  for await (const row of rowsOf(source)) {
    order.progress(row.seq + 1, source.size);
    if (row.line === null) {
      verifier.push(encodeLeftOut({ leaves: 1, root: leafOf(row) }));
      const last = missing.at(-1);
      if (last?.to === row.seq) last.to += 1;
      else missing.push({ from: row.seq, to: row.seq + 1 });
      continue;
    }
    verifier.push(row.line);
    const predicate = predicateIn(row.line);
    if (predicate !== null) report.push(predicate);
  }
  return { model: { ...report.finish(), size: source.size }, verdict: verifier.finish(), missing };
}

/** Second pass: lines as they are, hashes for the rest. Gives how many entries are left out. */
async function writeLines(
  source: LogSource,
  plan: LinePlan,
  file: BundleFile,
  each: (predicate: Predicate) => void,
): Promise<number> {
  const rows = leftOutRows();
  let [index, left] = [0, 0];
  for await (const row of rowsOf(source)) {
    if (row.seq >= plan.end) break;
    while ((plan.kept[index]?.to ?? Infinity) <= row.seq) index += 1;
    if ((plan.kept[index]?.from ?? Infinity) > row.seq) {
      left += 1;
      const done = rows.add(row.seq, leafOf(row), () => stopAfter(plan, row.seq));
      if (done !== null) file.write(`${encodeLeftOut(done)}\n`);
      continue;
    }
    if (row.line === null) {
      throw new AgentError('export_refused', `entry ${row.seq} was pruned meanwhile`, { remedy: 'export again' });
    }
    file.write(`${row.line}\n`);
    const predicate = predicateIn(row.line);
    if (predicate !== null) each(predicate);
  }
  return left;
}

async function* rowsOf(source: LogSource): AsyncGenerator<LogRow> {
  let next = 0;
  for await (const page of source.pages()) {
    for (const row of page) {
      if (row.seq >= source.size) return;
      if (row.seq !== next) throw new AgentError('store_corrupt', `entry ${next} is missing`, { place: source.origin });
      yield row;
      next += 1;
    }
  }
  if (next < source.size) throw new AgentError('store_corrupt', `entry ${next} is missing`, { place: source.origin });
}

function leafOf({ line, leaf, seq }: LogRow): Buffer {
  if (line !== null) return leafHash(line);
  if (leaf !== null) return leaf;
  throw new AgentError('internal', 'an entry has neither line nor leaf', { details: { seq } });
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
