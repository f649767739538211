// A whole trust root with its private keys, made from a seed, and everything that can be signed under it. For tests only.
import { createHash, createPrivateKey } from 'node:crypto';
import { encodeDocument, signDocument, type DocumentOf } from '../../agent/wire/document.ts';
import { encodeEnvelope, signEnvelope, toEmbedded, type Signer } from '../../agent/wire/dsse.ts';
import { signerFromPrivateKey } from '../../agent/wire/node-signature.ts';
import type { ContentList } from '../../agent/wire/schemas/content.ts';
import type { Binding } from '../../agent/wire/schemas/enrolment.ts';
import type { Authorisation, Order } from '../../agent/wire/schemas/order.ts';
import { DOCUMENTS, type DocumentName } from '../../agent/wire/schemas/payload-types.ts';
import type { EmbeddedEnvelope } from '../../agent/wire/schemas/primitives.ts';
import type { Role, Root } from '../../agent/wire/schemas/root.ts';
import type { SitePolicy } from '../../agent/wire/schemas/site-policy.ts';
import { parseRoot, type PinnedRoot } from '../../agent/trust/root.ts';

/** The moment that all fixtures are made for: 2026-06-01T12:00:00Z, a Monday. Unix seconds. */
export const NOW = 1_780_315_200;
export const PARTNER = 'northern-it';
export const CUSTOMER = 'family-practice';
export const SITE = 'main-street';
export const APPLIANCE = 'main-street-1';
export const LOG_DOMAIN = 'logs.northern-it.example';
export const RUNBOOK = { id: 'RB-WIN-AV-001', version: 1, sha256: 'a1'.repeat(32) };
export const DISRUPTIVE_RUNBOOK = { id: 'RB-WIN-PATCH-001', version: 1, sha256: 'a2'.repeat(32) };
export const BASELINE_SHA256 = 'b1'.repeat(32);

export const HUMANS = ['alice', 'bob', 'carol'] as const;
const SERVICE_ROLES = ['registrar', 'order', 'timestamp', 'witness', 'receipt'] as const;
const PEOPLE_ROLES = ['root', 'content', 'operator'] as const;

/** An Ed25519 signer made from a text: the same text gives the same key. */
export function signerFrom(text: string): Signer {
  const seed = createHash('sha256').update(text).digest();
  // PKCS#8 of an Ed25519 private key (RFC 8410 section 7).
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  return signerFromPrivateKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
}

/** A UUIDv7-shaped id made from a number. */
export function uuidOf(n: number): string {
  return `019e0000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
}

export type Trust = ReturnType<typeof makeTrust>;

/**
 * A root with three people (`direct`: one) for root, content and operator, and one service for the online roles.
 * Keys: `keys['operator:alice']` and so on for people; `keys.order` and so on for the service; `keys.device`.
 */
export function makeTrust(o: { seed?: string; direct?: boolean; change?: (root: Root) => void } = {}) {
  const seed = o.seed ?? 'seed';
  const people = o.direct === true ? HUMANS.slice(0, 1) : HUMANS.slice();
  const threshold = Math.min(2, people.length);
  const keys: Record<string, Signer> = { device: signerFrom(`${seed}/device`) };
  const rootKeys: Root['keys'] = [];
  const add = (name: string, person: string): string => {
    const signer = signerFrom(`${seed}/${name}`);
    keys[name] = signer;
    rootKeys.push({ keyid: signer.keyid, spki: signer.spki, person });
    return signer.keyid;
  };
  const peopleRole = (role: string) => ({
    threshold,
    keyids: people.map((person) => add(`${role}:${person}`, person)),
  });
  const serviceRole = (role: string) => ({ threshold: 1, keyids: [add(role, 'central')] });
  const root: Root = {
    schema: 'compliance-agent/root/v1',
    partner_id: PARTNER,
    log_domain: LOG_DOMAIN,
    version: 1,
    issued_at: NOW - 86_400,
    expires_at: NOW + 364 * 86_400,
    persons: [
      ...people.map((id) => ({ id, name: id[0]!.toUpperCase() + id.slice(1), kind: 'human' as const })),
      { id: 'central', name: 'Central Command', kind: 'service' },
    ],
    keys: rootKeys,
    roles: {
      ...(Object.fromEntries(PEOPLE_ROLES.map((role) => [role, peopleRole(role)])) as Pick<
        Root['roles'],
        (typeof PEOPLE_ROLES)[number]
      >),
      ...(Object.fromEntries(SERVICE_ROLES.map((role) => [role, serviceRole(role)])) as Pick<
        Root['roles'],
        (typeof SERVICE_ROLES)[number]
      >),
    },
    witness_name: 'witness.northern-it.example',
    past_keys: [],
    ...(o.direct === true ? { single_approver: { delay_s: 3_600 } } : {}),
  };
  o.change?.(root);

  /** Enough signers for a role, one per person. */
  const signersOf = (role: Role): Signer[] =>
    (PEOPLE_ROLES as readonly Role[]).includes(role)
      ? people.slice(0, threshold).map((person) => keys[`${role}:${person}`]!)
      : [keys[role]!];
  const signersFor = (name: DocumentName): Signer[] => {
    const role = ROLE_OF[name];
    return role === 'device' ? [keys['device']!] : signersOf(role);
  };
  /** A document signed by `signers`, or by enough holders of its role, as one line. */
  const sign = <N extends DocumentName>(name: N, value: DocumentOf<N>, ...signers: Signer[]): string =>
    encodeEnvelope(signDocument(name, value, signers.length > 0 ? signers : signersFor(name)));
  /** Signs any bytes as any payloadType: for documents that the schema refuses. */
  const signRaw = (payloadType: string, payload: string | Buffer, ...signers: Signer[]): string =>
    encodeEnvelope(signEnvelope(payloadType, Buffer.from(payload as string), signers));
  /** Signs any JSON value as a document of this name, unchecked. */
  const signUnchecked = (name: DocumentName, value: unknown, ...signers: Signer[]): string =>
    signRaw(DOCUMENTS[name].payloadType, JSON.stringify(value), ...(signers.length > 0 ? signers : signersFor(name)));
  const embed = <N extends DocumentName>(name: N, value: DocumentOf<N>, ...signers: Signer[]): EmbeddedEnvelope =>
    toEmbedded(signDocument(name, value, signers.length > 0 ? signers : signersFor(name)));

  const rootLine = sign('root', root);
  const pinned: PinnedRoot = o.change === undefined ? parseRoot(rootLine) : unchecked(root, rootLine);

  const order = (partial: Partial<Order> = {}): Order => ({
    schema: 'compliance-agent/order/v1',
    order_id: uuidOf(1),
    partner_id: PARTNER,
    site_id: SITE,
    appliance_id: APPLIANCE,
    epoch: 1,
    seq: 1,
    issued_at: NOW - 10,
    not_before: NOW - 10,
    expires_at: NOW + 600,
    class: 'read',
    kind: 'run_check',
    params: {},
    targets: [],
    dry_run: false,
    window: { mode: 'require' },
    ...partial,
  });
  const authorisation = (partial: Partial<Authorisation> = {}): Authorisation => ({
    schema: 'compliance-agent/authorisation/v1',
    authorisation_id: uuidOf(0xa1),
    partner_id: PARTNER,
    site_id: SITE,
    appliance_id: APPLIANCE,
    kind: 'reboot',
    params: {},
    targets: [],
    window: { mode: 'require' },
    issued_at: NOW - 7_200,
    not_after: NOW + 86_400,
    ...partial,
  });
  const contentList = (partial: Partial<ContentList> = {}): ContentList => ({
    schema: 'compliance-agent/content-list/v1',
    partner_id: PARTNER,
    version: 1,
    issued_at: NOW - 86_400,
    expires_at: NOW + 30 * 86_400,
    files: [
      { path: 'windows/av/runbook.yaml', kind: 'runbook', ...RUNBOOK, size: 900, class: 'routine' },
      { path: 'windows/patch/runbook.yaml', kind: 'runbook', ...DISRUPTIVE_RUNBOOK, size: 900, class: 'disruptive' },
      { path: 'rules/av.yaml', kind: 'rule', id: 'av-off', version: 1, sha256: 'c1'.repeat(32), size: 300 },
      { path: 'baselines/site.yaml', kind: 'baseline', id: 'site', version: 1, sha256: BASELINE_SHA256, size: 500 },
    ],
    grants: [],
    ...partial,
  });
  /** Windows on every night 22:00–04:00 UTC; at NOW they are closed. */
  const policy = (partial: Partial<SitePolicy> = {}): SitePolicy => ({
    schema: 'compliance-agent/site-policy/v1',
    partner_id: PARTNER,
    site_id: SITE,
    version: 1,
    issued_at: NOW - 86_400,
    time_zone: 'UTC',
    windows: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], start: '22:00', end: '04:00' }],
    allow_disruptive_outside_window: false,
    healing: { mode: 'off', runbooks: [] },
    target_networks: [],
    waivers: [],
    outputs: [],
    llm: null,
    timestamp_authority: null,
    auto_confirm: [],
    confirmations: [],
    retention_years: 7,
    ...partial,
  });
  const binding = (partial: Partial<Binding> = {}): Binding => ({
    schema: 'compliance-agent/binding/v1',
    partner_id: PARTNER,
    customer_id: CUSTOMER,
    site_id: SITE,
    appliance_id: APPLIANCE,
    ...(o.direct === true
      ? { deployment_mode: 'direct' as const }
      : { deployment_mode: 'reseller' as const, reseller_id: PARTNER }),
    epoch: 1,
    origin: `${LOG_DOMAIN}/${APPLIANCE}/1`,
    device_spki: keys['device']!.spki,
    tls_spki: TLS_SPKI,
    approver: 'alice',
    status: 'confirmed',
    previous: null,
    issued_at: NOW - 3_600,
    ...partial,
  });

  return {
    root: pinned,
    rootLine,
    keys,
    signersOf,
    sign,
    signRaw,
    signUnchecked,
    embed,
    encode: encodeDocument,
    order,
    authorisation,
    contentList,
    policy,
    binding,
  };
}

/** Who signs which document. */
const ROLE_OF: Readonly<Record<DocumentName, Role | 'device'>> = {
  root: 'root',
  revocations: 'content',
  partner: 'root',
  claim: 'device',
  claimAnswer: 'timestamp',
  binding: 'registrar',
  succession: 'device',
  epochConfirmation: 'operator',
  certificateRequest: 'device',
  checkinRequest: 'device',
  checkinAnswer: 'timestamp',
  order: 'order',
  authorisation: 'operator',
  sitePolicy: 'operator',
  contentList: 'content',
  receipt: 'receipt',
  ticketUpdate: 'device',
  recoveryKey: 'device',
  entry: 'device',
};

/** SPKI of a P-256 key that nobody uses. */
const TLS_SPKI = Buffer.concat([
  Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200046b17d1f2e12c4247f8bce6e563a440f2', 'hex'),
  Buffer.from(
    '77037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
    'hex',
  ),
]).toString('base64');

/** A root as a test bent it: not judged, so that the test can. */
function unchecked(root: Root, line: string): PinnedRoot {
  return { root, digest: createHash('sha256').update(encodeDocument('root', root)).digest('hex'), line };
}
