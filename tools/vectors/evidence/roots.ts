// Whole logs under chains of trust roots: where verification begins, and what may follow.
import { CA_1, CA_2, CA_3 } from '../ca-certificates.ts';
import { ROOT } from '../samples-trust.ts';
import { hexDigest, vectorKey } from '../signing.ts';
import { bad, good, logOf, rootLine, ROOT_LINE, ROOT_SHA256, whole, type EvidenceFile } from './whole.ts';

const lines = logOf(2);
const root = (version: number, change: object = {}): object => ({ ...ROOT, version, ...change });
const both = (value: object): string => rootLine(value, 'root-a', 'root-b');
const ONE = whole('one root', lines);
const THREE = whole('three roots, one after the other', lines, { roots: [ROOT_LINE, both(root(4)), both(root(5))] });
const OLDER = whole('an older root before the one that is vouched for', lines, { roots: [both(root(2)), ROOT_LINE] });
const CAS = whole('a root that names the CAs of Central Command, and one that names others', lines, {
  roots: [ROOT_LINE, both(root(4, { central_cas: [CA_1, CA_2] })), both(root(5, { central_cas: [CA_2, CA_3] }))],
});
const SPARE = whole('a root with one signature more, by a stranger', lines, {
  roots: [rootLine(ROOT, 'root-a', 'root-b', 'thief')],
});

export function rootVectors(): EvidenceFile {
  const first = (name: string, line: string, code: Parameters<typeof bad>[3]) =>
    bad(name, ONE, { roots: [line] }, code, null);
  const third = (name: string, line: string, code: Parameters<typeof bad>[3]) =>
    bad(name, THREE, { roots: [ROOT_LINE, both(root(4)), line] }, code, null);
  const payload = (JSON.parse(ROOT_LINE) as { payload: string }).payload;
  const cases = [
    good(ONE),
    good(THREE),
    good(OLDER),
    good(CAS),
    good(SPARE),
    bad('no root', ONE, { roots: [] }, 'root_not_found', null),
    first('a root of a stranger', strangersRoot(), 'root_digest_mismatch'),
    first(
      'a root of the same people that says something else',
      both(root(3, { expires_at: ROOT.expires_at - 1 })),
      'root_digest_mismatch',
    ),
    first('one of two people signed', rootLine(ROOT, 'root-a'), 'threshold_not_met'),
    first('nobody of the root role signed', rootLine(ROOT, 'thief'), 'signature_invalid'),
    first('the content keys of the same people signed', rootLine(ROOT, 'content-a', 'content-b'), 'signature_invalid'),
    first('the payload with a space more', ROOT_LINE.replace(payload, spaced(payload)), 'root_digest_mismatch'),
    first('an entry in place of a root', lines[0]!, 'payload_type_mismatch'),
    third('a successor that one of two people signed', rootLine(root(5), 'root-a'), 'threshold_not_met'),
    third('a successor signed by strangers', rootLine(root(5), 'thief', 'order'), 'signature_invalid'),
    third('a version left out', both(root(6)), 'root_version'),
    third('the same version again', both(root(4)), 'root_version'),
    third('an older version', both(root(3)), 'root_version'),
    third('a successor of another partner', both(root(5, { partner_id: 'southern-it' })), 'root_invalid'),
    third(
      'a successor with another log domain',
      both(root(5, { log_domain: 'logs.elsewhere.example' })),
      'root_invalid',
    ),
    third('a successor in which a keyid is not that of its key', both(root(5, { keys: swappedKey() })), 'root_invalid'),
    third('a successor of another schema', both(root(5, { schema: 'compliance-agent/root/v2' })), 'schema_invalid'),
  ];
  return { root_sha256: ROOT_SHA256, cases };
}

function spaced(payload: string): string {
  return Buffer.from(`${Buffer.from(payload, 'base64').toString()} `).toString('base64');
}

/** A root in which the two holders of root are strangers; all the rest is the partner's. */
function strangersRoot(): string {
  const spare = ['thief', 'thief 2'].map(vectorKey);
  const keys = ROOT.keys.map((key, i) => (i < 2 ? { ...key, keyid: spare[i]!.keyid, spki: spare[i]!.spki } : key));
  const roles = { ...ROOT.roles, root: { threshold: 2, keyids: spare.map((key) => key.keyid) } };
  return rootLine({ ...ROOT, keys, roles }, 'thief', 'thief 2');
}

function swappedKey(): object[] {
  return ROOT.keys.map((key) =>
    key.person === 'central' && 'sites' in key ? { ...key, keyid: hexDigest('another') } : key,
  );
}
