// Whole logs beside lists of revocations: from the named size on nothing counts, and below it the root must be the named one.
import { ORIGIN } from '../samples-enrolment.ts';
import { NOW, ROOT } from '../samples-trust.ts';
import { hexDigest, leaf, signedLine, treeRoot, vectorKey } from '../signing.ts';
import { bad, good, logOf, rootLine, ROOT_LINE, ROOT_SHA256, rootOf, whole, type EvidenceFile } from './whole.ts';

const LIST_TYPE = 'application/vnd.compliance-agent.revocations+json';
const lines = logOf(8);
const six = lines.slice(0, 6);
const OTHER = ORIGIN.replace(/1$/, '2');

const cut = (size: number, change: object = {}): object => ({
  origin: ORIGIN,
  trust_until_size: size,
  root: rootOf(lines.slice(0, size)),
  revoked_at: NOW,
  ...change,
});
const CONTENT = ['content-a', 'content-b'];
const listBy = (keys: readonly string[], origins: readonly object[], change: object = {}): string =>
  signedLine(
    LIST_TYPE,
    JSON.stringify({
      schema: 'compliance-agent/revocations/v1',
      partner_id: ROOT.partner_id,
      version: 1,
      issued_at: NOW,
      keys: [],
      origins,
      ...change,
    }),
    ...keys.map(vectorKey),
  );
const list = (...origins: object[]): string => listBy(CONTENT, origins);
const second = (...origins: object[]): string => listBy(CONTENT, origins, { version: 2 });

const ENDS = whole('a revoked log that ends at the size up to which it is trusted', six, {
  revocations: [list(cut(6))],
});
const ELSE = whole('a list that revokes another log', six, { revocations: [list(cut(2, { origin: OTHER }))] });
const NONE = whole('a list that revokes nothing', six, { revocations: [list()] });
const NEWER = whole('two lists, of which the newer one trusts less', six, {
  revocations: [list(cut(8)), second(cut(6))],
});
const BEFORE = whole('a list by a content key of an earlier root', six, {
  roots: [ROOT_LINE, rootLine(nextRoot(), 'root-a', 'root-b')],
  revocations: [list(cut(6))],
});
const row = (from: number, to: number): string =>
  `{"left_out":${to - from},"root":"${treeRoot(lines.slice(from, to).map(leaf)).toString('hex')}"}`;
const PART = whole('a revoked log of which all but entry 0 is left out', [six[0]!, row(1, 2), row(2, 4), row(4, 8)], {
  revocations: [list(cut(8))],
});

/** Root 4: other content keys. */
function nextRoot(): object {
  const fresh = { 'content-a': vectorKey('content-c'), 'content-b': vectorKey('content-d') };
  const old = new Map(Object.entries(fresh).map(([name, key]) => [vectorKey(name).keyid, key]));
  const keys = ROOT.keys.map((key) => ({ ...key, ...pick(old.get(key.keyid)) }));
  const content = { ...ROOT.roles.content, keyids: ROOT.roles.content.keyids.map((id) => old.get(id)?.keyid ?? id) };
  return { ...ROOT, version: 4, keys, roles: { ...ROOT.roles, content } };
}

function pick(key: { keyid: string; spki: string } | undefined): object {
  return key === undefined ? {} : { keyid: key.keyid, spki: key.spki };
}

export function revokedVectors(): EvidenceFile {
  const instead = (name: string, made: string, code: Parameters<typeof bad>[3], seq: number | null = null) =>
    bad(name, ENDS, { revocations: [made] }, code, seq);
  const cases = [
    good(ENDS),
    good(ELSE),
    good(NONE),
    good(NEWER),
    good(BEFORE),
    { ...good(PART), size: 8, root: rootOf(lines) },
    bad('entries past the size up to which the log is trusted', ENDS, { lines }, 'origin_revoked', 6),
    bad(
      'entries of the thief past it, of another branch, well signed',
      ENDS,
      { lines: logOf(8, 'told otherwise', 6) },
      'origin_revoked',
      6,
    ),
    bad('past it stands what is no entry at all', ENDS, { lines: [...six, '{}'] }, 'origin_revoked', 6),
    bad('entries below it were written anew', ENDS, { lines: logOf(6, 'told otherwise', 3) }, 'log_root_mismatch', 5),
    bad('the log is shorter than the list says', ENDS, { lines: six.slice(0, 5) }, 'log_truncated', 5),
    instead('the log is trusted up to an earlier size', list(cut(4)), 'origin_revoked', 4),
    instead('nothing but its first entry is trusted', list(cut(1)), 'origin_revoked', 1),
    instead('nothing of it is trusted', list(cut(0)), 'origin_revoked', 0),
    instead(
      'the list names another root at that size',
      list(cut(6, { root: hexDigest('another') })),
      'log_root_mismatch',
      5,
    ),
    instead('a list by the order key', listBy(['order'], [cut(6)]), 'signature_invalid'),
    instead('a list by one of two people', listBy(['content-a'], [cut(6)]), 'threshold_not_met'),
    instead('a list by the registrar', listBy(['registrar'], [cut(6)]), 'signature_invalid'),
    instead('a list by a stranger', listBy(['thief'], [cut(6)]), 'signature_invalid'),
    instead(
      'a list of another partner',
      listBy(CONTENT, [cut(6)], { partner_id: 'southern-it' }),
      'revocations_invalid',
    ),
    instead('a list in which the log stands twice', list(cut(6), cut(6)), 'revocations_invalid'),
    instead(
      'a list of another schema',
      listBy(CONTENT, [cut(6)], { schema: 'compliance-agent/revocations/v2' }),
      'schema_invalid',
    ),
    instead('a root in place of the list', ROOT_LINE, 'payload_type_mismatch'),
    bad(
      'the newer of two lists trusts less than there is',
      NEWER,
      { revocations: [list(cut(6)), second(cut(4))] },
      'origin_revoked',
      4,
    ),
    bad(
      'a list by a content key of no root',
      BEFORE,
      { revocations: [listBy(['content-e', 'content-f'], [cut(6)])] },
      'signature_invalid',
      null,
    ),
    bad('what is left out reaches beyond the size', PART, { revocations: [list(cut(6))] }, 'left_out_invalid', 4),
    bad('what is left out begins at the size', PART, { revocations: [list(cut(4))] }, 'origin_revoked', 4),
  ];
  return { root_sha256: ROOT_SHA256, cases };
}
