import { Point } from '@noble/ed25519';
import { describe, it, expect } from 'vitest';
import { parseRoot, acceptSuccessor } from '../../../agent/trust/root.ts';
import { isRootExpired, rootWarnings } from '../../../agent/trust/root-warnings.ts';
import { ed25519SpkiFromRaw, keyidOf } from '../../../agent/wire/keys.ts';
import { sha256Hex } from '../../../agent/wire/digest.ts';
import { parseEnvelope } from '../../../agent/wire/dsse.ts';
import type { Signer } from '../../../agent/wire/dsse.ts';
import type { Root } from '../../../agent/wire/schemas/root.ts';
import {
  CA_1,
  CA_1_NAMESAKE,
  CA_2,
  CA_2_AGAIN,
  CA_3,
  CA_4,
  LEAF,
  SUB_CA,
} from '../../../tools/vectors/ca-certificates.ts';
import { expectCode } from '../../support/expect-code.ts';
import { makeTrust, NOW, signerFrom } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const { root } = trust.root;
const keyOf = (r: Root, name: string) => r.keys.find((key) => key.keyid === trust.keys[name]!.keyid)!;
const DAY = 86_400;

/** Replaces a key everywhere in a root, so that nothing else contradicts itself. */
function replaceKey(r: Root, name: string, spki: string): void {
  const key = keyOf(r, name);
  const old = key.keyid;
  key.spki = spki;
  key.keyid = keyidOf(spki);
  for (const role of Object.values(r.roles)) role.keyids = role.keyids.map((id) => (id === old ? key.keyid : id));
}
const past = (name: string, role: 'witness' | 'receipt', change: Partial<Root['past_keys'][number]> = {}) => {
  const { keyid, spki } = signerFrom(name);
  return { role, keyid, spki, valid_from: NOW - DAY, valid_until: NOW, status: 'retired' as const, ...change };
};
const SMALL_ORDER = Buffer.from('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'hex');
const mixed = (signer: Signer): string => {
  const own = Point.fromBytes(Buffer.from(signer.spki, 'base64').subarray(12));
  return ed25519SpkiFromRaw(own.add(Point.fromBytes(SMALL_ORDER)).toBytes());
};

describe('a root', () => {
  it('is read back as it was signed, with the digest of its payload', () => {
    expect(parseRoot(trust.rootLine)).toEqual(trust.root);
    expect(trust.root.digest).toBe(sha256Hex(parseEnvelope(trust.rootLine, { maxBytes: 1e6 }).payload));
    expect(parseRoot(trust.rootLine, { expectedDigest: trust.root.digest }).root).toEqual(root);
  });
  it('of one person is read too, with threshold 1 and the delay of a single approver', () => {
    expect(parseRoot(makeTrust({ direct: true }).rootLine).root.single_approver).toEqual({ delay_s: 3_600 });
  });
  it('that another partner signed in itself is told apart by the pinned digest alone', () => {
    const other = makeTrust({ seed: 'attacker' });
    expect(parseRoot(other.rootLine).root.partner_id).toBe(root.partner_id);
    expectCode(() => parseRoot(other.rootLine, { expectedDigest: trust.root.digest }), 'root_digest_mismatch');
  });
  it('that fewer persons signed than its own threshold says is refused', () => {
    expectCode(() => parseRoot(trust.sign('root', root, trust.keys['root:alice']!)), 'threshold_not_met');
  });
  it('that one person signed with two keys is refused', () => {
    const again = signerFrom('alice again');
    const bent = makeTrust({
      change(r) {
        r.keys.push({ keyid: again.keyid, spki: again.spki, person: 'alice' });
        r.roles.root.keyids.push(again.keyid);
      },
    }).root.root;
    expectCode(() => parseRoot(trust.sign('root', bent, trust.keys['root:alice']!, again)), 'threshold_not_met');
  });
  it('that only content keys signed is refused', () => {
    const signers = [trust.keys['content:alice']!, trust.keys['content:bob']!];
    expectCode(() => parseRoot(trust.sign('root', root, ...signers)), 'signature_invalid');
  });
  it('in the envelope of another document is refused before it is parsed', () => {
    expectCode(() => parseRoot(trust.sign('contentList', trust.contentList())), 'payload_type_mismatch');
  });
  it('with a changed name of a person is refused', () => {
    const envelope = JSON.parse(trust.rootLine) as { payload: string };
    const text = Buffer.from(envelope.payload, 'base64').toString().replace('"Alice"', '"Mallo"');
    const line = JSON.stringify({ ...envelope, payload: Buffer.from(text).toString('base64') });
    expectCode(() => parseRoot(line), 'signature_invalid');
  });
});

const CONTRADICTIONS: readonly (readonly [string, (r: Root) => void])[] = [
  ['it expires when it is issued', (r) => (r.expires_at = r.issued_at)],
  ['it is valid for more than 366 days', (r) => (r.expires_at = r.issued_at + 366 * DAY + 1)],
  ['a person stands twice', (r) => r.persons.push({ id: 'alice', name: 'Alice B', kind: 'human' })],
  ['a key stands twice', (r) => r.keys.push({ ...r.keys[0]! })],
  [
    'a keyid is not the SHA-256 of its key',
    (r) => r.keys.push({ keyid: 'ab'.repeat(32), spki: signerFrom('x').spki, person: 'alice' }),
  ],
  [
    'two keys have their keyids swapped',
    (r) => {
      const [a, b] = [keyOf(r, 'operator:alice'), keyOf(r, 'operator:bob')];
      [a.keyid, b.keyid] = [b.keyid, a.keyid];
    },
  ],
  ['a key is of small order', (r) => replaceKey(r, 'operator:carol', ed25519SpkiFromRaw(SMALL_ORDER))],
  ['a key is not torsion-free', (r) => replaceKey(r, 'operator:carol', mixed(trust.keys['operator:carol']!))],
  ['a key is not on the curve', (r) => replaceKey(r, 'operator:carol', ed25519SpkiFromRaw(Buffer.alloc(32, 2)))],
  ['a key belongs to a person who does not exist', (r) => (keyOf(r, 'operator:carol').person = 'dave')],
  ['a role names a key that does not exist', (r) => r.roles.operator.keyids.push('ab'.repeat(32))],
  ['a role names a key twice', (r) => r.roles.operator.keyids.push(r.roles.operator.keyids[0]!)],
  ['a threshold is above the number of keys', (r) => (r.roles.content.threshold = 4)],
  [
    'a threshold is above the number of persons, although there are keys enough',
    (r) => {
      for (const keyid of r.roles.content.keyids) r.keys.find((key) => key.keyid === keyid)!.person = 'alice';
    },
  ],
  [
    'the order key may sign content',
    (r) => {
      r.roles.content.keyids.push(trust.keys['order']!.keyid);
    },
  ],
  ['the timestamp key is a root key', (r) => r.roles.root.keyids.push(trust.keys['timestamp']!.keyid)],
  ['the registrar key is an operator key', (r) => r.roles.operator.keyids.push(trust.keys['registrar']!.keyid)],
  [
    'a service holds an operator key of its own',
    (r) => {
      const key = signerFrom('service operator');
      r.keys.push({ keyid: key.keyid, spki: key.spki, person: 'central' });
      r.roles.operator.keyids.push(key.keyid);
    },
  ],
  ['a human holds the order key', (r) => (keyOf(r, 'order').person = 'alice')],
  ['one online key has two roles', (r) => (r.roles.witness.keyids = [trust.keys['receipt']!.keyid])],
  ['a content key is limited to sites', (r) => (keyOf(r, 'content:alice').sites = ['main-street'])],
  ['a timestamp key is limited to sites', (r) => (keyOf(r, 'timestamp').sites = ['main-street'])],
  ['one operator suffices and no delay is named', (r) => (r.roles.operator.threshold = 1)],
  ['a single approver is named although two operators are needed', (r) => (r.single_approver = { delay_s: 3_600 })],
  ['a past key is still in use', (r) => r.past_keys.push({ ...past('x', 'witness'), ...pick(trust.keys['witness']!) })],
  ['a past key stands twice', (r) => r.past_keys.push(past('x', 'witness'), past('x', 'witness'))],
  ['a past key ends before it begins', (r) => r.past_keys.push(past('x', 'witness', { valid_until: NOW - 2 * DAY }))],
  ['a CA is an intermediate one', (r) => (r.central_cas = [CA_1, SUB_CA])],
  ['a CA is none', (r) => (r.central_cas = [CA_1, LEAF])],
  ['a CA is no certificate', (r) => (r.central_cas = [CA_1, Buffer.from('CA').toString('base64')])],
  ['a CA has bytes behind its certificate', (r) => (r.central_cas = [CA_1, `${CA_2}AAAA`])],
  ['a CA has a changed signature', (r) => (r.central_cas = [CA_1, lastBitFlipped(CA_2)])],
  ['a CA stands twice', (r) => (r.central_cas = [CA_1, CA_2, CA_1])],
  ['two CAs have one key', (r) => (r.central_cas = [CA_1, CA_2, CA_2_AGAIN])],
  ['two CAs have one name', (r) => (r.central_cas = [CA_1, CA_1_NAMESAKE])],
  [
    'a past key is of small order',
    (r) => {
      const spki = ed25519SpkiFromRaw(SMALL_ORDER);
      r.past_keys.push(past('x', 'witness', { spki, keyid: keyidOf(spki) }));
    },
  ],
];
function lastBitFlipped(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  bytes[bytes.length - 1]! ^= 1;
  return bytes.toString('base64');
}
function pick(signer: Signer): { keyid: string; spki: string } {
  return { keyid: signer.keyid, spki: signer.spki };
}

describe('a root that its holders signed is still refused when', () => {
  it.each(CONTRADICTIONS)('%s', (_, change) => {
    const bent = makeTrust({ change: (r) => void change(r) });
    expectCode(() => parseRoot(bent.rootLine), 'root_invalid');
  });
});

describe('a root may', () => {
  it.each<[string, (r: Root) => void]>([
    ['name a person without a key', (r) => r.persons.push({ id: 'dave', name: 'Dave', kind: 'human' })],
    ['name a key without a role', (r) => r.keys.push({ ...pick(signerFrom('spare')), person: 'alice' })],
    [
      'give one human the same key for content and operator',
      (r) => r.roles.operator.keyids.push(r.roles.content.keyids[0]!),
    ],
    [
      'limit order and operator keys to sites',
      (r) => {
        keyOf(r, 'order').sites = ['main-street'];
        keyOf(r, 'operator:carol').sites = ['main-street'];
      },
    ],
    ['name CAs of Central Command', (r) => (r.central_cas = [CA_1, CA_2, CA_3, CA_4])],
    ['name past keys', (r) => r.past_keys.push(past('x', 'witness'), past('y', 'receipt', { status: 'compromised' }))],
  ])('%s', (_, change) => {
    expect(parseRoot(makeTrust({ change: (r) => void change(r) }).rootLine).root.version).toBe(1);
  });
});

/** The successor of the fixture's root: other root keys for bob and carol, signed by `signers`. */
function successor(change: (r: Root) => void = () => {}, ...signers: string[]): string {
  const next = structuredClone(root);
  next.version = 2;
  change(next);
  const by = signers.length > 0 ? signers : ['root:alice', 'root:bob'];
  return trust.sign('root', next, ...by.map((name) => trust.keys[name] ?? signerFrom(name)));
}
/** Gives the root role to two new people. */
function newHolders(r: Root): void {
  for (const id of ['dave', 'erin']) {
    r.persons.push({ id, name: id, kind: 'human' });
    r.keys.push({ ...pick(signerFrom(id)), person: id });
  }
  r.roles.root = { threshold: 2, keyids: [signerFrom('dave').keyid, signerFrom('erin').keyid] };
}

describe('a successor root', () => {
  it('is version N+1, signed under the thresholds of both', () => {
    expect(acceptSuccessor(trust.root, successor()).root.version).toBe(2);
    const line = successor(newHolders, 'root:alice', 'root:bob', 'dave', 'erin');
    expect(acceptSuccessor(trust.root, line).root.roles.root.keyids).toContain(signerFrom('dave').keyid);
  });
  it('signed by the old holders alone is refused when the holders change', () => {
    expectCode(() => acceptSuccessor(trust.root, successor(newHolders, 'root:alice', 'root:bob')), 'signature_invalid');
  });
  it('signed by the new holders alone is refused', () => {
    expectCode(() => acceptSuccessor(trust.root, successor(newHolders, 'dave', 'erin')), 'signature_invalid');
  });
  it('signed by one old and two new holders is refused', () => {
    const line = successor(newHolders, 'root:alice', 'dave', 'erin');
    expectCode(() => acceptSuccessor(trust.root, line), 'threshold_not_met');
  });
  it('signed by two old holders and one new one is refused', () => {
    const line = successor(newHolders, 'root:alice', 'root:bob', 'dave');
    expectCode(() => acceptSuccessor(trust.root, line), 'threshold_not_met');
  });
  it.each([1, 3, 2_000_000_000])('with version %i after version 1 is refused', (version) => {
    expectCode(
      () =>
        acceptSuccessor(
          trust.root,
          successor((r) => (r.version = version)),
        ),
      'root_version',
    );
  });
  it('is refused as the pinned root itself, offered again', () => {
    expectCode(() => acceptSuccessor(trust.root, trust.rootLine), 'root_version');
  });
  it('is accepted although the pinned root and itself are long expired: the way to the current one leads through them', () => {
    const line = successor((r) => (r.expires_at = r.issued_at + 1));
    expect(isRootExpired(acceptSuccessor(trust.root, line).root, NOW)).toBe(true);
  });
  it('that contradicts itself is refused although both thresholds signed', () => {
    expectCode(
      () =>
        acceptSuccessor(
          trust.root,
          successor((r) => (r.roles.operator.threshold = 1)),
        ),
      'root_invalid',
    );
  });
  it.each<[string, (r: Root) => void]>([
    ['names another partner', (r) => (r.partner_id = 'southern-it')],
    ['names another log domain', (r) => (r.log_domain = 'logs.southern-it.example')],
    ['drops the witness key', (r) => replaceKey(r, 'witness', signerFrom('new witness').spki)],
    ['drops the receipt key', (r) => replaceKey(r, 'receipt', signerFrom('new receipt').spki)],
    [
      'names the former witness key as one of receipts',
      (r) => {
        replaceKey(r, 'witness', signerFrom('new witness').spki);
        r.past_keys.push({ ...past('x', 'receipt'), ...pick(trust.keys['witness']!) });
      },
    ],
  ])('that %s is refused', (_, change) => {
    expectCode(
      () =>
        acceptSuccessor(
          trust.root,
          successor((r) => void change(r)),
        ),
      'root_invalid',
    );
  });
  it('may replace the witness key when it keeps the former one among past keys', () => {
    const line = successor((r) => {
      replaceKey(r, 'witness', signerFrom('new witness').spki);
      r.past_keys.push({ ...past('x', 'witness'), ...pick(trust.keys['witness']!) });
    });
    expect(acceptSuccessor(trust.root, line).root.past_keys).toHaveLength(1);
  });
  it.each<[string, (p: Root['past_keys'][number]) => Root['past_keys'][number] | null]>([
    ['drops a past key', () => null],
    ['calls a compromised key retired', (p) => ({ ...p, status: 'retired' })],
    ['gives a past key another role', (p) => ({ ...p, role: 'receipt' })],
  ])('that %s is refused', (_, change) => {
    const bent = makeTrust({ change: (r) => void r.past_keys.push(past('old', 'witness', { status: 'compromised' })) });
    const pinned = parseRoot(bent.rootLine);
    const next: Root = {
      ...pinned.root,
      version: 2,
      past_keys: pinned.root.past_keys.map(change).filter((p) => p !== null),
    };
    expectCode(() => acceptSuccessor(pinned, trust.sign('root', next)), 'root_invalid');
    const unchanged = acceptSuccessor(pinned, trust.sign('root', { ...pinned.root, version: 2 }));
    expect(unchanged.root.past_keys).toEqual(pinned.root.past_keys);
  });
});

describe('warnings about a root', () => {
  const at = (daysLeft: number): (readonly [string, number | null])[] =>
    rootWarnings(root, root.expires_at - daysLeft * DAY).map((warning) => [warning.code, warning.step]);
  it('come 60, 30, 14 and 3 days ahead, each step by its own number', () => {
    expect(at(60.1)).toEqual([]);
    expect([60, 31, 30, 14, 3, 0.1].map((days) => at(days)[0])).toEqual([
      ['root_expires', 60],
      ['root_expires', 60],
      ['root_expires', 30],
      ['root_expires', 14],
      ['root_expires', 3],
      ['root_expires', 3],
    ]);
    expect(at(0)).toEqual([['root_expired', null]]);
  });
  it('say all the time where one person decides alone', () => {
    const codes = rootWarnings(makeTrust({ direct: true }).root.root, NOW).map((warning) => warning.code);
    expect(codes).toEqual(['single_approver', 'content_by_one']);
  });
});
