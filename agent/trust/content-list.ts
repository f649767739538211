// The content list: what the agent may run or judge by, named by digest. Signed by `content`, versions strictly rising.
import { AgentError } from '../errors/agent-error.ts';
import type { Envelope } from '../wire/dsse.ts';
import { jcsDigest } from '../wire/jcs.ts';
import type { ContentList } from '../wire/schemas/content.ts';
import type { OrderClass } from '../wire/schemas/primitives.ts';
import type { Root } from '../wire/schemas/root.ts';
import { openDocument, type Opened } from './open-document.ts';
import { assertRising, assertRootInForce, type DocumentOptions } from './rising-version.ts';
import { firstDuplicate } from './root-consistency.ts';

export type ContentKind = ContentList['files'][number]['kind'];
export interface RunbookRef {
  readonly id: string;
  readonly version: number;
  readonly sha256: string;
}

const DAY_S = 86_400;
/** A content list is valid for at most this long. */
export const MAX_CONTENT_LIFETIME_S = 90 * DAY_S;
/** How long routine healing goes on after the expiry. */
export const CONTENT_GRACE_S = 30 * DAY_S;

/**
 * Verifies a content list. An expired one is accepted: it is still the newest word on what may run, and `contentState`
 * says what it is good for.
 *
 * @throws the errors of openDocument; root_expired; content_version; content_invalid
 */
export function openContentList(root: Root, source: string | Envelope, o: DocumentOptions): Opened<'contentList'> {
  assertRootInForce(root, o);
  const opened = openDocument(root, 'content', 'contentList', source, o);
  const list = opened.value;
  const problem = list.partner_id !== root.partner_id ? 'the content list is of another partner' : listProblem(list);
  if (problem !== null) {
    throw new AgentError('content_invalid', problem, o.place === undefined ? {} : { place: o.place });
  }
  assertRising('content_version', list.version, o);
  return opened;
}

/** The class of a listed runbook; null unless id, version and digest all fit one entry. */
export function runbookClass(list: ContentList | null, ref: RunbookRef): OrderClass | null {
  const file = list?.files.find(
    (f) => f.kind === 'runbook' && f.sha256 === ref.sha256 && f.id === ref.id && f.version === ref.version,
  );
  return file?.class ?? null;
}

export function isListed(list: ContentList, kind: ContentKind, sha256: string): boolean {
  return list.files.some((file) => file.kind === kind && file.sha256 === sha256);
}

/**
 * One digest of all that findings are judged by: SHA-256 over the JCS of the sorted texts `<kind>:<sha256>` of rules and
 * baselines. Null before the first content list.
 */
export function rulesetDigest(list: ContentList | null): string | null {
  if (list === null) return null;
  const parts = list.files.filter((file) => file.kind === 'rule' || file.kind === 'baseline');
  return jcsDigest(parts.map((file) => `${file.kind}:${file.sha256}`).sort());
}

/**
 * What a content list is good for at `now` (Unix seconds): `valid`; `expired` (findings say so, disruptive work stops,
 * routine work goes on); `lapsed` (30 days later: routine work stops too); `absent`. Observation never stops.
 */
export function contentState(list: ContentList | null, now: number): 'absent' | 'valid' | 'expired' | 'lapsed' {
  if (list === null) return 'absent';
  if (now < list.expires_at) return 'valid';
  return now < list.expires_at + CONTENT_GRACE_S ? 'expired' : 'lapsed';
}

function listProblem(list: ContentList): string | null {
  if (list.expires_at <= list.issued_at) return 'expires_at is not after issued_at';
  if (list.expires_at - list.issued_at > MAX_CONTENT_LIFETIME_S) return 'it is valid for more than 90 days';
  return filesProblem(list) ?? grantsProblem(list);
}

function filesProblem(list: ContentList): string | null {
  const path = firstDuplicate(list.files.map((file) => file.path));
  if (path !== null) return `path ${path} stands twice`;
  const named = firstDuplicate(list.files.map((file) => `${file.kind} ${file.id} version ${file.version}`));
  if (named !== null) return `${named} stands twice`;
  // One digest with two classes would leave it to the reader which one counts.
  const runbooks = list.files.filter((file) => file.kind === 'runbook');
  const digest = firstDuplicate(runbooks.map((file) => file.sha256));
  if (digest !== null) return `runbook digest ${digest} stands twice`;
  for (const file of list.files) {
    if ((file.kind === 'runbook') !== (file.class !== undefined)) {
      return `${file.path}: a runbook has a class, nothing else has`;
    }
  }
  return null;
}

function grantsProblem(list: ContentList): string | null {
  const twice = firstDuplicate(list.grants.map((grant) => grant.grant_id));
  if (twice !== null) return `grant ${twice} stands twice`;
  for (const grant of list.grants) {
    const at = `grant ${grant.grant_id}`;
    const rule = list.files.some(
      (file) => file.kind === 'rule' && file.id === grant.rule.id && file.sha256 === grant.rule.sha256,
    );
    if (!rule) return `${at}: its rule is not in the list`;
    if (!isListed(list, 'baseline', grant.baseline_sha256)) return `${at}: its baseline is not in the list`;
    const needed = runbookClass(list, grant.runbook);
    if (needed === null) return `${at}: its runbook is not in the list`;
    if (needed === 'disruptive' && grant.class !== 'disruptive')
      return `${at}: its runbook is disruptive, the grant is not`;
  }
  return null;
}
