// Documents that must not come into force. Each is one that would be taken, changed in one thing, and named by an answer that
// the timestamp key signed.
import type { ErrorCode } from '../../agent/errors/codes.ts';
import { sha256Hex } from '../../agent/wire/digest.ts';
import { payloadDigest, signDocument, type DocumentOf } from '../../agent/wire/document.ts';
import { encodeEnvelope, signEnvelope, type Envelope, type Signer } from '../../agent/wire/dsse.ts';
import { ed25519SpkiFromRaw, keyidOf } from '../../agent/wire/keys.ts';
import { DOCUMENTS } from '../../agent/wire/schemas/payload-types.ts';
import type { ContentList } from '../../agent/wire/schemas/content.ts';
import type { Root } from '../../agent/wire/schemas/root.ts';
import type { SitePolicy } from '../../agent/wire/schemas/site-policy.ts';
import { SITE } from '../../tools/demo/site.ts';
import { CA_4 as THIEFS_CA } from '../../tools/vectors/ca-certificates.ts';
import { newSigner, type AttackedSite } from './attacked-site.ts';

interface Offered {
  /** Fields of the answer that name the document. */
  readonly named: object;
  /** What is served, by `kind/ref`. */
  readonly documents: Readonly<Record<string, string>>;
  /** Bytes that are served for a digest of a content list. */
  readonly files?: Readonly<Record<string, Buffer>>;
}

export interface DocumentAttack {
  /** Also the row of docs/threat-model.md. */
  readonly what: string;
  /** The cause of the alert `document_not_accepted`. */
  readonly code: ErrorCode;
  readonly attack: (attacked: AttackedSite) => Offered;
}

const DAY_S = 86_400;
const FILE = Buffer.from('id: other\nversion: 1\n');
/** The point of order 1: a signature under it fits every message. */
const SMALL_ORDER = Buffer.from([1, ...Array.from({ length: 31 }, () => 0)]);

const rootOf = (a: AttackedSite): Root => a.central.central.trust.root().root;
/** Beside those that there are, so that nobody would notice at once. */
const withThiefsCa = (a: AttackedSite): Pick<Root, 'central_cas'> => ({
  central_cas: [...(rootOf(a).central_cas ?? []), THIEFS_CA],
});
const offerRoot = (a: AttackedSite, change: Partial<Root>, signers: readonly Signer[] = a.people.root): Offered => {
  const root = { ...rootOf(a), version: 3, ...change };
  return { named: { root_version: 3 }, documents: { 'root/3': encodeEnvelope(signDocument('root', root, signers)) } };
};

function offer(kind: 'policy' | 'content' | 'revocations', version: number, envelope: Envelope): Offered {
  const sha256 = payloadDigest(envelope);
  return { named: { [kind]: { version, sha256 } }, documents: { [`${kind}/${sha256}`]: encodeEnvelope(envelope) } };
}

function policyOf(a: AttackedSite, change: object = {}): SitePolicy {
  const { trust, now } = a.central.central;
  return { ...trust.policy(SITE)!.value, version: 2, issued_at: now(), ...change };
}
const offerPolicy = (
  a: AttackedSite,
  change: Partial<SitePolicy>,
  signers: readonly Signer[] = a.people.operator,
): Offered => offer('policy', 2, signDocument('sitePolicy', policyOf(a, change), signers));

/** A policy that is taken, so that what is refused is refused for what was changed. */
export const goodPolicy = (a: AttackedSite): Offered => offerPolicy(a, {});

function contentOf(a: AttackedSite, change: Partial<ContentList> = {}): ContentList {
  const now = a.central.central.now();
  return {
    schema: 'compliance-agent/content-list/v1',
    partner_id: rootOf(a).partner_id,
    version: 1,
    issued_at: now,
    expires_at: now + 30 * DAY_S,
    files: [],
    grants: [],
    ...change,
  };
}
const offerContent = (
  a: AttackedSite,
  change: Partial<ContentList>,
  signers: readonly Signer[] = a.people.content,
): Offered => offer('content', 1, signDocument('contentList', contentOf(a, change), signers));

/** A list with one file, which Central Command serves as `served`. */
function offerFile(a: AttackedSite, served: Buffer, size = FILE.length): Offered {
  const sha256 = sha256Hex(FILE);
  const file = { path: 'baselines/other.yaml', kind: 'baseline', id: 'other', version: 1, sha256, size } as const;
  return { ...offerContent(a, { files: [file] }), files: { [sha256]: served } };
}

/** A content list that is taken with its file. */
export const goodContent = (a: AttackedSite): Offered => offerFile(a, FILE);

function revocationsOf(a: AttackedSite): DocumentOf<'revocations'> {
  const now = a.central.central.now();
  const { partner_id, roles } = rootOf(a);
  const keys = [{ keyid: roles.operator.keyids[0]!, revoked_at: now, reason: 'to lock the operators out' }];
  return { schema: 'compliance-agent/revocations/v1', partner_id, version: 1, issued_at: now, keys, origins: [] };
}

export const DOCUMENT_ATTACKS: readonly DocumentAttack[] = [
  {
    what: 'a root that skips a version',
    code: 'root_version',
    attack: (a) => offerRoot(a, { version: 4 }),
  },
  {
    what: 'the first root again',
    code: 'root_version',
    attack: (a) => ({
      named: { root_version: 3 },
      documents: { 'root/3': a.central.central.trust.earlierRoots()[0]!.line },
    }),
  },
  {
    what: 'a root that one of two persons signed',
    code: 'threshold_not_met',
    attack: (a) => offerRoot(a, {}, [a.people.root[0]]),
  },
  {
    what: 'a root that lowers its own threshold, signed by one person',
    code: 'threshold_not_met',
    attack: (a) => {
      const { roles } = rootOf(a);
      return offerRoot(a, { roles: { ...roles, root: { ...roles.root, threshold: 1 } } }, [a.people.root[0]]);
    },
  },
  {
    what: 'a root that strangers signed',
    code: 'signature_invalid',
    attack: (a) => offerRoot(a, {}, [newSigner(), newSigner()]),
  },
  {
    what: 'a root with a CA of a thief, signed by one of two persons',
    code: 'threshold_not_met',
    attack: (a) => offerRoot(a, withThiefsCa(a), [a.people.root[0]]),
  },
  {
    what: 'a root with a CA of a thief, signed by the timestamp key',
    code: 'signature_invalid',
    attack: (a) => offerRoot(a, withThiefsCa(a), [a.central.central.keys.timestamp]),
  },
  {
    what: 'CAs of a thief beside a signed root',
    code: 'envelope_invalid',
    attack: (a) => {
      const { named, documents } = offerRoot(a, {});
      const line = JSON.parse(documents['root/3']!) as object;
      return { named, documents: { 'root/3': JSON.stringify({ ...line, ...withThiefsCa(a) }) } };
    },
  },
  {
    what: 'a root of another partner',
    code: 'root_invalid',
    attack: (a) => offerRoot(a, { partner_id: 'another-partner' }),
  },
  {
    what: 'a root that drops the witness key without a word',
    code: 'root_invalid',
    attack: (a) => {
      const root = rootOf(a);
      const witness = newSigner();
      const old = root.roles.witness.keyids[0]!;
      const keys = root.keys.map((key) =>
        key.keyid === old ? { ...key, keyid: witness.keyid, spki: witness.spki } : key,
      );
      return offerRoot(a, { keys, roles: { ...root.roles, witness: { threshold: 1, keyids: [witness.keyid] } } });
    },
  },
  {
    what: 'a root with a key of small order',
    code: 'root_invalid',
    attack: (a) => {
      const root = rootOf(a);
      const spki = ed25519SpkiFromRaw(SMALL_ORDER);
      const person = root.keys.find((key) => key.keyid === root.roles.order.keyids[0])!.person;
      return offerRoot(a, { keys: [...root.keys, { keyid: keyidOf(spki), spki, person }] });
    },
  },
  {
    what: 'a policy that the order key signed',
    code: 'signature_invalid',
    attack: (a) => offerPolicy(a, {}, [a.central.central.keys.order]),
  },
  {
    what: 'a policy that one of two operators signed',
    code: 'threshold_not_met',
    attack: (a) => offerPolicy(a, {}, [a.people.operator[0]]),
  },
  {
    what: 'a policy that two keys of one operator signed',
    code: 'threshold_not_met',
    attack: (a) => offerPolicy(a, {}, [a.people.operator[0], a.added.aliceAgain]),
  },
  {
    what: 'a policy for another site',
    code: 'policy_other_site',
    attack: (a) => offerPolicy(a, { site_id: 'another-clinic' }),
  },
  {
    what: 'a policy with a waiver of a year',
    code: 'policy_invalid',
    attack: (a) => {
      const now = a.central.central.now();
      const waiver = { id: 'w-1', check: 'disk', target: 'appliance', reason: 'quiet', approver: 'alice-ames' };
      return offerPolicy(a, { waivers: [{ ...waiver, issued_at: now, expires_at: now + 365 * DAY_S }] });
    },
  },
  {
    what: 'a policy with an unknown field',
    code: 'schema_invalid',
    attack: (a) => {
      const payload = Buffer.from(JSON.stringify({ ...policyOf(a), skip_verification: true }));
      return offer('policy', 2, signEnvelope(DOCUMENTS.sitePolicy.payloadType, payload, a.people.operator));
    },
  },
  {
    what: 'the policy in force under a new version number',
    code: 'policy_version',
    attack: (a) => {
      const { digest, line } = a.central.central.trust.policy(SITE)!;
      return { named: { policy: { version: 2, sha256: digest } }, documents: { [`policy/${digest}`]: line } };
    },
  },
  {
    what: 'another policy under the version that is in force',
    code: 'document_mismatch',
    attack: (a) => offer('policy', 1, signDocument('sitePolicy', policyOf(a, { version: 1 }), a.people.operator)),
  },
  {
    what: 'another document than the answer named',
    code: 'document_mismatch',
    attack: (a) => {
      const sha256 = 'cd'.repeat(32);
      const line = encodeEnvelope(signDocument('sitePolicy', policyOf(a), a.people.operator));
      return { named: { policy: { version: 2, sha256 } }, documents: { [`policy/${sha256}`]: line } };
    },
  },
  {
    what: 'a content list that the order key signed',
    code: 'signature_invalid',
    attack: (a) => offerContent(a, {}, [a.central.central.keys.order]),
  },
  {
    what: 'a content list that the operators signed',
    code: 'signature_invalid',
    attack: (a) => offerContent(a, {}, a.people.operator),
  },
  {
    what: 'a content list that one of two persons signed',
    code: 'threshold_not_met',
    attack: (a) => offerContent(a, {}, [a.people.content[0]]),
  },
  {
    what: 'a content list that is valid for a year',
    code: 'content_invalid',
    attack: (a) => offerContent(a, { expires_at: a.central.central.now() + 365 * DAY_S }),
  },
  {
    what: 'a file of the content list with other bytes than its digest says',
    code: 'content_mismatch',
    attack: (a) => offerFile(a, Buffer.from(FILE.toString().replace('other', 'otter'))),
  },
  {
    what: 'a file of the content list that is longer than the list says',
    code: 'content_mismatch',
    attack: (a) => offerFile(a, FILE, FILE.length - 1),
  },
  {
    what: 'a content list of another partner',
    code: 'content_invalid',
    attack: (a) => offerContent(a, { partner_id: 'another-partner' }),
  },
  {
    what: 'revocations that the order key signed, to lock people out',
    code: 'signature_invalid',
    attack: (a) =>
      offer('revocations', 1, signDocument('revocations', revocationsOf(a), [a.central.central.keys.order])),
  },
  {
    what: 'revocations that one of two persons signed',
    code: 'threshold_not_met',
    attack: (a) => offer('revocations', 1, signDocument('revocations', revocationsOf(a), [a.people.content[0]])),
  },
];
