// `evidence verify`: checks exported lines or the local log, with nothing trusted but the root digest that the caller brings.
import { dirname, join } from 'node:path';
import { existsSync, statSync } from 'node:fs';
import { AgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { ROOT_FILE } from '../identity/provision-files.ts';
import type { Store } from '../store/open-store.ts';
import { readFileLimited } from '../system/files.ts';
import type { Opened } from '../trust/open-document.ts';
import { createLogVerifier } from '../verify/log-verifier.ts';
import { verifyReceipt } from '../verify/verify-receipt.ts';
import { splitNotes } from '../wire/note-file.ts';
import { nowSeconds, type CliContext } from './deps.ts';
import { stateDirOf, withEnrolledStore } from './open-state.ts';
import { print } from './print.ts';
import { createProgress, type Progress } from './progress.ts';
import { isBundle, readBundle } from '../bundle/read-bundle.ts';
import { evidenceFiles, readLines } from '../bundle/read-lines.ts';
import { rootChain, type RootChain } from '../bundle/root-chain.ts';
import { verdictLines, type VerifiedLog, type VerifyVerdict } from './verdict-lines.ts';

export interface VerifyOptions {
  readonly root?: string;
  readonly rootSha256?: string;
  readonly receipts?: string;
  readonly checkpoints?: string;
  readonly secondOpinion?: boolean;
}

const MAX_ROOTS_BYTES = 8 * 1_024 * 1_024;
const MAX_RECEIPTS_BYTES = 64 * 1_024 * 1_024;
const MAX_CHECKPOINTS_BYTES = 64 * 1_024 * 1_024;
const PAGE = { maxEntries: 500, maxBytes: 4 * 1_024 * 1_024 };

const linesOf = (path: string, maxBytes: number): string[] =>
  readFileLimited(path, maxBytes)
    .toString('utf8')
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .filter((line) => line !== '');

/** Notes one after the other, an empty line between them (docs/formats/checkpoint.md). */
const readNotes = (path: string): string[] =>
  splitNotes(readFileLimited(path, MAX_CHECKPOINTS_BYTES).toString('utf8'), path);

interface Job {
  readonly source: string;
  readonly lines: Iterable<string>;
  readonly total: number | null;
  readonly receipts: readonly Opened<'receipt'>[];
  readonly checkpoints: readonly string[];
}

function verifyLog(job: Job, chain: RootChain, o: VerifyOptions, now: number, progress: Progress): VerifiedLog {
  const verifier = createLogVerifier({
    root: chain.current.root,
    earlierRoots: chain.earlier,
    receipts: job.receipts,
    checkpoints: job.checkpoints,
    secondOpinion: o.secondOpinion === true,
    now,
  });
  let seq = 0;
  for (const line of job.lines) {
    verifier.push(line);
    seq += 1;
    progress.at(seq, job.total);
  }
  return { ...verifier.finish(), source: job.source };
}

function* storeLines(store: Store, epoch: number): Generator<string> {
  for (let next = 0; ;) {
    const page = store.entries.range(epoch, next, PAGE);
    for (const row of page) yield row.line;
    if (page.length === 0) return;
    next += page.length;
  }
}

const receiptsFrom = (lines: readonly string[], chain: RootChain, place: string): Opened<'receipt'>[] =>
  lines.map((line) => verifyReceipt(chain.current.root, line, { place }));

function verifyFiles(context: CliContext, path: string, o: VerifyOptions): { chain: RootChain; logs: VerifiedLog[] } {
  const files = evidenceFiles(path);
  const folder = statSync(path).isDirectory() ? path : dirname(path);
  const rootFile =
    o.root ?? [folder, dirname(folder)].map((dir) => join(dir, ROOT_FILE)).find((file) => existsSync(file));
  if (rootFile === undefined) {
    throw new AgentError('root_not_found', `there is no ${ROOT_FILE} beside the evidence`, { place: folder });
  }
  const chain = rootChain(linesOf(rootFile, MAX_ROOTS_BYTES), o.rootSha256 ?? null, rootFile);
  const receipts =
    o.receipts === undefined ? [] : receiptsFrom(linesOf(o.receipts, MAX_RECEIPTS_BYTES), chain, o.receipts);
  const checkpoints = o.checkpoints === undefined ? [] : readNotes(o.checkpoints);
  const progress = createProgress(context, 'verified entries');
  const job = { source: path, lines: linesIn(files), total: null, receipts, checkpoints };
  const logs = [verifyLog(job, chain, o, nowSeconds(context), progress)];
  progress.end();
  return { chain, logs };
}

/** An auditor bundle brings roots, receipts and checkpoints along; what it says counts only under the digest from outside. */
function verifyBundle(context: CliContext, path: string, o: VerifyOptions): { chain: RootChain; logs: VerifiedLog[] } {
  if (o.root !== undefined || o.receipts !== undefined || o.checkpoints !== undefined) {
    throw new AgentError('usage', 'a bundle brings its own roots, receipts and checkpoints: name it alone');
  }
  const bundle = readBundle(path);
  const chain = rootChain(linesOf(bundle.rootFile, MAX_ROOTS_BYTES), o.rootSha256 ?? null, bundle.rootFile);
  const logs = bundle.logs.map(({ epoch, files, receiptsFile, checkpointsFile }) => {
    const receipts = receiptsFrom(linesOf(receiptsFile, MAX_RECEIPTS_BYTES), chain, receiptsFile);
    const progress = createProgress(context, 'verified entries');
    const source = bundle.logs.length === 1 ? path : `${path}, epoch ${epoch}`;
    const checkpoints = readNotes(checkpointsFile);
    const job = { source, lines: linesIn(files), total: null, receipts, checkpoints };
    const log = verifyLog(job, chain, o, nowSeconds(context), progress);
    progress.end();
    return log;
  });
  return { chain, logs };
}

function* linesIn(files: readonly string[]): Generator<string> {
  for (const file of files) yield* readLines(file);
}

async function verifyStore(context: CliContext, o: VerifyOptions): Promise<{ chain: RootChain; logs: VerifiedLog[] }> {
  const dir = stateDirOf(context);
  return withEnrolledStore(context, dir, (store, identity) => {
    const lines = o.root === undefined ? store.trust.roots().map((row) => row.line) : linesOf(o.root, MAX_ROOTS_BYTES);
    const chain = rootChain(lines, o.rootSha256 ?? null, o.root ?? dir);
    const epochs = store.entries.epochs();
    const logs = epochs.map((epoch) => {
      const origin = identity.origin.replace(/[0-9]+$/, String(epoch));
      const receipts = receiptsFrom(
        store.uplink.receipts(origin).map((row) => row.line),
        chain,
        dir,
      );
      const source = epochs.length === 1 ? dir : `${dir}, epoch ${epoch}`;
      const { size } = store.entries.state(epoch);
      const progress = createProgress(context, 'verified entries');
      const checkpoints = store.checkpoints.all(origin).map((row) => row.note);
      const job = { source, lines: storeLines(store, epoch), total: size, receipts, checkpoints };
      const log = verifyLog(job, chain, o, nowSeconds(context), progress);
      progress.end();
      return log;
    });
    return { chain, logs };
  });
}

/** Exit 0 only for a log that verifies under a root whose digest the caller named; else 4. */
export async function evidenceVerify(
  context: CliContext,
  path: string | undefined,
  options: VerifyOptions,
): Promise<number> {
  if (path !== undefined && context.stateDir !== null) {
    throw new AgentError('usage', 'give files or --state, not both');
  }
  const { chain, logs } =
    path === undefined
      ? await verifyStore(context, options)
      : (isBundle(path) ? verifyBundle : verifyFiles)(context, path, options);
  const isWhole = logs.length > 0 && logs.every((log) => log.ok);
  const verdict: VerifyVerdict = !isWhole ? 'failed' : chain.vouched ? 'verified' : 'untrusted_root';
  const root = {
    vouched: chain.vouched,
    sha256: chain.pinnedDigest,
    version: chain.current.root.version,
    partner_id: chain.current.root.partner_id,
  };
  const [newest, ...earlier] = logs.map(jsonOf).toReversed();
  const value = { verdict, trust_root: root, ...newest, earlier_epochs: earlier };
  print(context, 'evidence-verify', value, () => verdictLines(context, verdict, root, logs));
  return verdict === 'verified' ? EXIT.ok : EXIT.verification;
}

/** One log in the JSON form (docs/cli.md). */
function jsonOf({ firstAt, lastAt, ...log }: VerifiedLog): object {
  return { ...log, first_at: firstAt, last_at: lastAt };
}
