// Brings root, revocations, content list and site policy up to what a verified answer named. Each is verified by its own offline
// signers before it counts; the `timestamp` key of the answer only says which one to look at.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { EvidenceLog } from '../evidence/log.ts';
import { expectAnswer } from '../https/expect-answer.ts';
import { heldAfterRoot } from '../identity/central-cas.ts';
import { DSSE_MEDIA_TYPE, withoutFinalLineFeed } from '../identity/signed-exchange.ts';
import { openContentList } from '../trust/content-list.ts';
import { openPolicy } from '../trust/policy.ts';
import { openRevocations, revokedKeyids } from '../trust/revocations.ts';
import { acceptSuccessor, type PinnedRoot } from '../trust/root.ts';
import { maxLineBytes } from '../wire/document.ts';
import type { CheckinAnswer } from '../wire/schemas/checkin.ts';
import type { ContentList } from '../wire/schemas/content.ts';
import type { Revocations } from '../wire/schemas/root.ts';
import { fetchContent } from './fetch-content.ts';
import { nowSeconds, type UplinkDeps } from './uplink-deps.ts';

const DOCUMENTS_PATH = '/api/v1/appliances/documents';
const DOCUMENT_DEADLINE_MS = 20_000;
/** Roots taken in one go: a box that was off for years needs a few cycles. */
const MAX_ROOT_STEPS = 16;

export interface TrustChanges {
  readonly rootChanged: boolean;
  readonly contentChanged: boolean;
  readonly policyChanged: boolean;
  readonly revocationsChanged: boolean;
  /** What could not be taken over, and why; the documents in force stay. */
  readonly failures: readonly AgentError[];
}

type DocumentKind = 'root' | 'content' | 'policy' | 'revocations';
const DOCUMENT_NAMES = {
  root: 'root',
  content: 'contentList',
  policy: 'sitePolicy',
  revocations: 'revocations',
} as const;

/** One document that cannot be taken over does not stop the others. Throws only for what is not about a document. */
export async function syncTrust(
  d: UplinkDeps,
  answer: CheckinAnswer,
  evidence: Pick<EvidenceLog, 'append'>,
  signal: AbortSignal,
  runId: string = d.ids.uuidv7(),
): Promise<TrustChanges> {
  const failures: AgentError[] = [];
  let root = d.root();
  const attempt = async (what: DocumentKind, run: () => Promise<boolean>): Promise<boolean> => {
    try {
      return await run();
    } catch (error) {
      if (!isAgentError(error) || signal.aborted || error.code.startsWith('store_')) throw error;
      d.log.warn('document not taken over', { run_id: runId, document: what, code: error.code, reason: error.message });
      failures.push(error);
      return false;
    }
  };
  const rootChanged = await attempt('root', async () => {
    const before = root.root.version;
    try {
      for (let step = 0; root.root.version < answer.root_version && step < MAX_ROOT_STEPS; step++) {
        root = await takeNextRoot(d, root, evidence, signal, runId);
      }
    } finally {
      if (root.root.version > before) d.log.info('trust root changed', { run_id: runId, version: root.root.version });
    }
    return root.root.version > before;
  });
  // Before the others: what a revoked key signed must not come into force in the same breath.
  let revoked = d.revokedKeyids();
  const revocationsChanged = await attempt('revocations', async () => {
    const list = await takeRevocations(d, root, revoked, answer, evidence, signal, runId);
    if (list !== null) revoked = revokedKeyids(list);
    return list !== null;
  });
  const contentChanged = await attempt('content', () => takeContent(d, root, revoked, answer, evidence, signal, runId));
  const policyChanged = await attempt('policy', () => takePolicy(d, root, revoked, answer, evidence, signal, runId));
  return {
    rootChanged: rootChanged || root.root.version > d.root().root.version,
    contentChanged,
    policyChanged,
    revocationsChanged,
    failures,
  };
}

/**
 * For an answer that no `timestamp` key of our root signed: the keys may have changed while this box was off. Takes every
 * root that follows ours, as far as there are any; each is signed by the one before it, so nothing else needs to be trusted.
 *
 * @returns whether there was one; then the next check-in is judged by it
 * @throws what the transport throws, and the errors of acceptSuccessor for a root that does not follow
 */
export async function catchUpRoots(
  d: UplinkDeps,
  evidence: Pick<EvidenceLog, 'append'>,
  signal: AbortSignal,
  runId: string = d.ids.uuidv7(),
): Promise<boolean> {
  let root = d.root();
  for (let step = 0; step < MAX_ROOT_STEPS; step++) {
    try {
      root = await takeNextRoot(d, root, evidence, signal, runId);
    } catch (error) {
      // What was reached counts, whatever stopped the walk.
      if (step > 0) return true;
      const isNewest = isAgentError(error) && error.code === 'http_refused' && error.details['status'] === 404;
      if (!isNewest) throw error;
      return false;
    }
  }
  return true;
}

async function takeNextRoot(
  d: UplinkDeps,
  root: PinnedRoot,
  evidence: Pick<EvidenceLog, 'append'>,
  signal: AbortSignal,
  runId: string,
): Promise<PinnedRoot> {
  const version = root.root.version + 1;
  const { line, caPin } = await fetchDocument(d, 'root', String(version), signal, runId);
  const next = acceptSuccessor(root, line, `root ${version}`);
  d.store.unit(() => {
    d.store.trust.addRoot({ version, digest: next.digest, line: next.line });
    const identity = d.store.trust.identity();
    if (identity !== null) {
      d.store.trust.saveIdentity({ ...identity, ...heldAfterRoot(identity, root.root, next.root, caPin) });
    }
    evidence.append('trust', {
      what: 'root',
      version,
      sha256: next.digest,
      sentence: `Trust root ${version} replaces ${root.root.version}.`,
    });
  });
  return next;
}

/** Signed by keys that the list before it does not revoke; a list may revoke a key that signed it. */
async function takeRevocations(
  d: UplinkDeps,
  root: PinnedRoot,
  revoked: ReadonlySet<string>,
  answer: CheckinAnswer,
  evidence: Pick<EvidenceLog, 'append'>,
  signal: AbortSignal,
  runId: string,
): Promise<Revocations | null> {
  const current = d.store.trust.document('revocations');
  if (answer.revocations === null || !isNews(answer.revocations, current, 'list of revocations')) return null;
  const line = await fetchLine(d, 'revocations', answer.revocations.sha256, signal, runId);
  const opened = openRevocations(root.root, line, {
    currentVersion: current?.version ?? null,
    revokedKeyids: revoked,
    now: answer.server_time,
    place: `revocations ${answer.revocations.version}`,
  });
  assertNamed(opened, answer.revocations, 'list of revocations');
  const { version, keys } = opened.value;
  keepDocument(d, 'revocations', opened, evidence, `Revocations ${version} are in force: ${keys.length} keys.`);
  return opened.value;
}

async function takeContent(
  d: UplinkDeps,
  root: PinnedRoot,
  revoked: ReadonlySet<string>,
  answer: CheckinAnswer,
  evidence: Pick<EvidenceLog, 'append'>,
  signal: AbortSignal,
  runId: string,
): Promise<boolean> {
  const current = d.store.trust.document('content');
  if (answer.content === null) return false;
  if (!isNews(answer.content, current, 'content list')) return await restoreContent(d, root, revoked, signal, runId);
  const line = await fetchLine(d, 'content', answer.content.sha256, signal, runId);
  const opened = openContentList(root.root, line, {
    currentVersion: current?.version ?? null,
    revokedKeyids: revoked,
    now: answer.server_time,
    place: `content list ${answer.content.version}`,
  });
  assertNamed(opened, answer.content, 'content list');
  if (!(await fetchContent(d, opened.value, signal, runId))) {
    d.log.info('content is on its way', { run_id: runId, version: opened.value.version });
    return false;
  }
  d.judgeContent?.(opened.value);
  keepDocument(d, 'content', opened, evidence, `Content list ${opened.value.version} is in force.`);
  // Those of the list before stay: a run may have begun under it.
  const before = (current === null ? null : storedList(root, current.line, revoked))?.files ?? [];
  d.store.content.keepOnly(new Set([...before, ...opened.value.files].map((file) => file.sha256)));
  return true;
}

/** Files of the list in force that were lost or damaged come again. */
async function restoreContent(
  d: UplinkDeps,
  root: PinnedRoot,
  revoked: ReadonlySet<string>,
  signal: AbortSignal,
  runId: string,
): Promise<boolean> {
  const current = d.store.trust.document('content');
  if (current === null || d.completeContent?.has(current.digest) === true) return false;
  const list = storedList(root, current.line, revoked);
  if (list === null) return false;
  const isLacking = list.files.some((file) => !d.store.content.has(file.sha256));
  const isComplete = !isLacking || (await fetchContent(d, list, signal, runId));
  if (isComplete) d.completeContent?.add(current.digest);
  return isComplete && isLacking;
}

/** Null where it does not verify any more: then it names nothing. */
function storedList(root: PinnedRoot, line: string, revoked: ReadonlySet<string>): ContentList | null {
  try {
    return openContentList(root.root, line, { currentVersion: 0, revokedKeyids: revoked }).value;
  } catch (error) {
    if (isAgentError(error)) return null;
    throw error;
  }
}

async function takePolicy(
  d: UplinkDeps,
  root: PinnedRoot,
  revoked: ReadonlySet<string>,
  answer: CheckinAnswer,
  evidence: Pick<EvidenceLog, 'append'>,
  signal: AbortSignal,
  runId: string,
): Promise<boolean> {
  const current = d.store.trust.document('policy');
  if (answer.policy === null || !isNews(answer.policy, current, 'site policy')) return false;
  const line = await fetchLine(d, 'policy', answer.policy.sha256, signal, runId);
  const opened = openPolicy(root.root, line, {
    siteId: d.identity.siteId,
    currentVersion: current?.version ?? null,
    revokedKeyids: revoked,
    now: answer.server_time,
    place: `site policy ${answer.policy.version}`,
  });
  assertNamed(opened, answer.policy, 'site policy');
  keepDocument(d, 'policy', opened, evidence, `Site policy ${opened.value.version} is in force.`);
  return true;
}

interface Named {
  readonly version: number;
  readonly sha256: string;
}

/** An older version is passed over in silence: a restored Central Command offers one until it has caught up. */
function isNews(named: Named, current: { version: number; digest: string } | null, what: string): boolean {
  if (current === null || named.version > current.version) return true;
  if (named.version === current.version && named.sha256 !== current.digest) {
    throw new AgentError('document_mismatch', `another ${what} is named under the version that is in force`, {
      details: { version: named.version, named: named.sha256, in_force: current.digest },
    });
  }
  return false;
}

function assertNamed(opened: { digest: string; value: { version: number } }, named: Named, what: string): void {
  if (opened.digest === named.sha256 && opened.value.version === named.version) return;
  throw new AgentError('document_mismatch', `the ${what} that came is not the one that the answer named`, {
    details: { named: named.sha256, came: opened.digest },
  });
}

function keepDocument(
  d: UplinkDeps,
  kind: 'content' | 'policy' | 'revocations',
  opened: { digest: string; line: string; value: { version: number } },
  evidence: Pick<EvidenceLog, 'append'>,
  sentence: string,
): void {
  const { digest, line, value } = opened;
  d.store.unit(() => {
    d.store.trust.putDocument({ kind, version: value.version, digest, line, at: nowSeconds(d.clock) });
    evidence.append('trust', { what: kind, version: value.version, sha256: digest, sentence });
  });
}

const fetchLine = async (...asked: Parameters<typeof fetchDocument>): Promise<string> =>
  (await fetchDocument(...asked)).line;

/** `caPin`: of the CA of the connection that it came over. */
async function fetchDocument(
  d: UplinkDeps,
  kind: DocumentKind,
  ref: string,
  signal: AbortSignal,
  runId: string,
): Promise<{ line: string; caPin: string }> {
  const response = await d.https.request({
    method: 'GET',
    path: `${DOCUMENTS_PATH}/${kind}/${ref}`,
    headers: { accept: DSSE_MEDIA_TYPE, 'x-correlation-id': runId },
    deadlineMs: DOCUMENT_DEADLINE_MS,
    maxResponseBytes: maxLineBytes(DOCUMENT_NAMES[kind]) + 1,
    signal,
  });
  const body = expectAnswer(response, { host: d.https.host, mediaType: DSSE_MEDIA_TYPE });
  return { line: withoutFinalLineFeed(body).toString('utf8'), caPin: response.caPin };
}
