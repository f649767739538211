// `evidence verify`: checks exported lines, a bundle or the local log, with nothing trusted but what the caller brings.
import { dirname, join } from 'node:path';
import { existsSync, statSync } from 'node:fs';
import { newestRevocations } from '../bundle/bundled-revocations.ts';
import { isBundle, readBundle, type BundleLog } from '../bundle/read-bundle.ts';
import { evidenceFiles, readLines } from '../bundle/read-lines.ts';
import { rootChain, type RootChain } from '../bundle/root-chain.ts';
import { AgentError } from '../errors/agent-error.ts';
import { CODES } from '../errors/codes.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { logRows, textOfRow } from '../evidence/log-rows.ts';
import { ROOT_FILE } from '../identity/provision-files.ts';
import type { Store } from '../store/open-store.ts';
import { readFileLimited } from '../system/files.ts';
import { parseAuthorities } from '../trust/open-timestamp.ts';
import type { LogVerifierOptions } from '../verify/log-verifier.ts';
import { verifyReceipt } from '../verify/verify-receipt.ts';
import type { Revocations } from '../wire/schemas/root.ts';
import { parseAnchors, type AnchorLine } from '../wire/anchor-line.ts';
import { splitNotes } from '../wire/note-file.ts';
import { MAX_TIMESTAMP_BYTES, type StampedFile } from '../wire/timestamp.ts';
import { nowSeconds, type CliContext } from './deps.ts';
import { stateDirOf, withEnrolledStore } from './open-state.ts';
import { print } from './print.ts';
import { createProgress } from './progress.ts';
import { openResumeFile } from './resume-file.ts';
import { originOf, storedTimestamps } from './store-source.ts';
import { verdictLines, type VerifiedLog, type VerifyVerdict } from './verdict-lines.ts';
import { verifyLog, type LogJob } from './verify-log.ts';

export interface VerifyOptions {
  readonly root?: string;
  readonly rootSha256?: string;
  readonly receipts?: string;
  readonly checkpoints?: string;
  readonly anchor?: string;
  readonly revocations?: string;
  readonly tsaCa?: string;
  readonly resume?: string;
  readonly secondOpinion?: boolean;
}

const MAX_ROOTS_BYTES = 8 * 1_024 * 1_024;
const MAX_RECEIPTS_BYTES = 64 * 1_024 * 1_024;
const MAX_CHECKPOINTS_BYTES = 64 * 1_024 * 1_024;
const MAX_REVOCATIONS_BYTES = 1_048_576;
const MAX_ANCHORS_BYTES = 64 * 1_024 * 1_024;
const MAX_AUTHORITIES_BYTES = 1_048_576;

const textOf = (path: string, maxBytes: number): string => readFileLimited(path, maxBytes).toString('utf8');

const linesOf = (path: string, maxBytes: number): string[] =>
  textOf(path, maxBytes)
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .filter((line) => line !== '');

/** Notes one after the other, an empty line between them (docs/formats/checkpoint.md). */
const readNotes = (path: string): string[] => splitNotes(textOf(path, MAX_CHECKPOINTS_BYTES), path);

/** What stands beside the lines of one log. */
interface Beside {
  readonly source: string;
  readonly lines: Iterable<string>;
  readonly total: number | null;
  readonly receipts: readonly string[];
  readonly checkpoints: readonly string[];
  readonly timestamps: readonly StampedFile[];
}

interface Evidence {
  readonly chain: RootChain;
  readonly logs: readonly Beside[];
  /** The newest list of those that are there and that the caller brings. */
  readonly revocations: Revocations | null;
}

interface FoundList {
  readonly line: string;
  readonly place: string;
}

const listsIn = (file: string | null | undefined): FoundList[] =>
  file === null || file === undefined
    ? []
    : linesOf(file, MAX_REVOCATIONS_BYTES).map((line) => ({ line, place: file }));

const revocationsOf = (chain: RootChain, found: readonly FoundList[], o: VerifyOptions): Revocations | null =>
  newestRevocations(chain, [...found, ...listsIn(o.revocations)])?.value ?? null;

/** What the caller brings for all logs. */
interface Brought {
  readonly anchors: readonly AnchorLine[];
  readonly authorities: readonly string[] | null;
}

function jobOf(log: Beside, { chain, revocations }: Evidence, brought: Brought, o: VerifyOptions, now: number): LogJob {
  const { source, lines, total, checkpoints, timestamps } = log;
  const { root } = chain.current;
  const options: LogVerifierOptions = {
    root,
    earlierRoots: chain.earlier,
    receipts: log.receipts.map((line) => verifyReceipt(root, line, { place: source })),
    checkpoints,
    timestamps,
    revocations,
    ...brought,
    secondOpinion: o.secondOpinion === true,
    now,
  };
  return { source, lines, total, options };
}

function evidenceInFiles(path: string, o: VerifyOptions): Evidence {
  const files = evidenceFiles(path);
  const folder = statSync(path).isDirectory() ? path : dirname(path);
  const rootFile =
    o.root ?? [folder, dirname(folder)].map((dir) => join(dir, ROOT_FILE)).find((file) => existsSync(file));
  if (rootFile === undefined) {
    throw new AgentError('root_not_found', `there is no ${ROOT_FILE} beside the evidence`, { place: folder });
  }
  const log: Beside = {
    source: path,
    lines: linesIn(files),
    total: null,
    receipts: o.receipts === undefined ? [] : linesOf(o.receipts, MAX_RECEIPTS_BYTES),
    checkpoints: o.checkpoints === undefined ? [] : readNotes(o.checkpoints),
    timestamps: [],
  };
  const chain = rootChain(linesOf(rootFile, MAX_ROOTS_BYTES), o.rootSha256 ?? null, rootFile);
  return { chain, logs: [log], revocations: revocationsOf(chain, [], o) };
}

/** An auditor bundle brings roots, receipts and checkpoints along; what it says counts only under the digest from outside. */
function evidenceInBundle(path: string, o: VerifyOptions): Evidence {
  if (o.root !== undefined || o.receipts !== undefined || o.checkpoints !== undefined) {
    throw new AgentError('usage', 'a bundle brings its own roots, receipts and checkpoints: name it alone');
  }
  const bundle = readBundle(path);
  const chain = rootChain(linesOf(bundle.rootFile, MAX_ROOTS_BYTES), o.rootSha256 ?? null, bundle.rootFile);
  const logs = bundle.logs.map((log): Beside => ({
    source: bundle.logs.length === 1 ? path : `${path}, ${log.applianceId} epoch ${log.epoch}`,
    lines: linesIn(log.files),
    total: null,
    receipts: linesOf(log.receiptsFile, MAX_RECEIPTS_BYTES),
    checkpoints: readNotes(log.checkpointsFile),
    timestamps: log.timestamps.map(stampedFile),
  }));
  return { chain, logs, revocations: revocationsOf(chain, listsIn(bundle.revocationsFile), o) };
}

const stampedFile = ({ size, file, textFile }: BundleLog['timestamps'][number]): StampedFile => ({
  size,
  response: readFileLimited(file, MAX_TIMESTAMP_BYTES),
  text: textOf(textFile, MAX_TIMESTAMP_BYTES),
});

const linesIn = (files: readonly string[]): Iterable<string> => ({
  *[Symbol.iterator]() {
    for (const file of files) yield* readLines(file);
  },
});

function evidenceInStore(store: Store, identity: { origin: string }, dir: string, o: VerifyOptions): Evidence {
  const roots = o.root === undefined ? store.trust.roots().map((row) => row.line) : linesOf(o.root, MAX_ROOTS_BYTES);
  const epochs = store.entries.epochs();
  const logs = epochs.map((epoch): Beside => {
    const origin = originOf(identity, epoch);
    const { size } = store.entries.state(epoch);
    return {
      source: epochs.length === 1 ? dir : `${dir}, epoch ${epoch}`,
      lines: storeLines(store, epoch, size),
      total: size,
      receipts: store.uplink.receipts(origin).map((row) => row.line),
      checkpoints: store.checkpoints.all(origin).map((row) => row.note),
      timestamps: storedTimestamps(store, origin, size),
    };
  });
  const chain = rootChain(roots, o.rootSha256 ?? null, o.root ?? dir);
  const stored = store.trust.document('revocations');
  const lists = stored === null ? [] : [{ line: stored.line, place: dir }];
  return { chain, logs, revocations: revocationsOf(chain, lists, o) };
}

const storeLines = (store: Store, epoch: number, size: number): Iterable<string> => ({
  *[Symbol.iterator]() {
    for (const page of logRows(store, epoch, 0, size)) yield* page.map(textOfRow);
  },
});

async function verifyAll(context: CliContext, evidence: Evidence, o: VerifyOptions): Promise<VerifiedLog[]> {
  const { logs } = evidence;
  const brought: Brought = {
    anchors: o.anchor === undefined ? [] : parseAnchors(textOf(o.anchor, MAX_ANCHORS_BYTES), o.anchor),
    authorities: o.tsaCa === undefined ? null : parseAuthorities(textOf(o.tsaCa, MAX_AUTHORITIES_BYTES), o.tsaCa),
  };
  const resume = o.resume === undefined ? null : openResumeFile(o.resume, dependencies(context, evidence, brought, o));
  const verified: VerifiedLog[] = [];
  for (const log of logs) {
    const job = jobOf(log, evidence, brought, o, nowSeconds(context));
    verified.push(await verifyLog(job, createProgress(context, 'verified entries'), resume));
  }
  resume?.remove();
  assertAnchored(brought, verified, o);
  return verified;
}

/** All that the verdict depends on besides the lines and the time. */
function dependencies(
  context: CliContext,
  { chain, logs, revocations }: Evidence,
  brought: Brought,
  o: VerifyOptions,
): string[] {
  const beside = logs.map(({ source, receipts, checkpoints, timestamps }) => {
    const stamps = timestamps.map(({ size, response }) => [size, response.toString('base64')]);
    return { source, receipts, checkpoints, stamps };
  });
  const roots = [...chain.earlier, chain.current.root];
  return [
    context.build.version,
    chain.pinnedDigest,
    JSON.stringify({ roots, vouched: chain.vouched, beside, brought, revocations, second: o.secondOpinion === true }),
  ];
}

/** An anchor that is of none of these logs was brought in vain, and the caller must not believe that it held. */
function assertAnchored({ anchors }: Brought, logs: readonly VerifiedLog[], o: VerifyOptions): void {
  if (anchors.length === 0 || !logs.every((log) => log.ok) || logs.some((log) => log.anchors > 0)) return;
  const place = o.anchor ?? '';
  throw new AgentError('anchor_invalid', 'no anchor in the file could be held against these logs', {
    place,
    remedy: 'bring a line of the same log; one that ends within entries that the bundle leaves out says nothing',
  });
}

/** Exit 0 only for a log that verifies under a root whose digest the caller named. */
export async function evidenceVerify(
  context: CliContext,
  path: string | undefined,
  options: VerifyOptions,
): Promise<number> {
  if (path !== undefined && context.stateDir !== null) {
    throw new AgentError('usage', 'give files or --state, not both');
  }
  if (path === undefined && options.resume !== undefined) {
    throw new AgentError('usage', '--resume is for files: the local log changes between two runs');
  }
  if (path !== undefined) {
    const evidence = (isBundle(path) ? evidenceInBundle : evidenceInFiles)(path, options);
    return say(context, evidence, await verifyAll(context, evidence, options));
  }
  const dir = stateDirOf(context);
  return withEnrolledStore(context, dir, async (store, identity) => {
    const evidence = evidenceInStore(store, identity, dir, options);
    return say(context, evidence, await verifyAll(context, evidence, options));
  });
}

function say(context: CliContext, { chain, revocations }: Evidence, logs: readonly VerifiedLog[]): number {
  const isWhole = logs.length > 0 && logs.every((log) => log.ok);
  const verdict: VerifyVerdict = !isWhole ? 'failed' : chain.vouched ? 'verified' : 'untrusted_root';
  const root = {
    vouched: chain.vouched,
    sha256: chain.pinnedDigest,
    version: chain.current.root.version,
    partner_id: chain.current.root.partner_id,
    revocations_version: revocations?.version ?? null,
  };
  const [newest, ...earlier] = logs.map(jsonOf).toReversed();
  const value = { verdict, trust_root: root, ...newest, earlier_epochs: earlier };
  print(context, 'evidence-verify', value, () => verdictLines(context, verdict, root, logs));
  if (verdict === 'verified') return EXIT.ok;
  if (verdict === 'untrusted_root') return EXIT.untrusted_root;
  // The gravest: a log that somebody changed, before one that is not all there.
  const exits = logs.flatMap((log) => (log.code === null ? [] : [CODES[log.code].exit]));
  return exits.length === 0 ? EXIT.incomplete : Math.min(...exits);
}

/** One log in the JSON form (docs/cli.md). */
function jsonOf({ firstAt, lastAt, leftOut, ...log }: VerifiedLog): object {
  return { ...log, left_out: leftOut, first_at: firstAt, last_at: lastAt };
}
