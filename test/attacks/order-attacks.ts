// Orders that must not be carried out. Each is an order that the same run shows accepted, changed in one thing; whoever makes
// them holds every online key, and of the people's keys as many as the attack says. Order ids and seq are fresh, since a
// repeated one would be refused for that.
import { readFileSync } from 'node:fs';
import { createPrivateKey } from 'node:crypto';
import { encodeDocument, signDocument } from '../../agent/wire/document.ts';
import { encodeEnvelope, pae, signEnvelope, toEmbedded, type Envelope, type Signer } from '../../agent/wire/dsse.ts';
import { DOCUMENTS } from '../../agent/wire/schemas/payload-types.ts';
import type { Authorisation, Order } from '../../agent/wire/schemas/order.ts';
import type { EmbeddedEnvelope } from '../../agent/wire/schemas/primitives.ts';
import type { ErrorCode } from '../../agent/errors/codes.ts';
import { EPOCH_ATTACKS } from './epoch-attacks.ts';
import { torsionSignature } from './torsion-signature.ts';

export interface OrderAttack {
  /** Also the row of docs/threat-model.md. */
  readonly what: string;
  /** With which the refusal entry must be written; null: never accepted and never refused, since it may become valid. */
  readonly code: ErrorCode | null;
  /** As it stands in the answer's list. */
  readonly order: (tools: Tools) => unknown;
}

export interface OrderKeys {
  readonly order: Signer;
  /** File of the private key of `order`. */
  readonly orderKeyFile: string;
  readonly timestamp: Signer;
  readonly device: Signer;
  /** Of another partner altogether. */
  readonly stranger: Signer;
  /** An order key of this partner that may sign for another site only. */
  readonly elsewhere: Signer;
  readonly alice: Signer;
  /** Another operator key of the same person. */
  readonly aliceAgain: Signer;
  readonly bob: Signer;
}

const FILLER_CHARS = 60_000;
const DAY_S = 86_400;

/** Makes orders of this site; `seq` rises with each. */
export function orderMaker(
  common: Pick<Order, 'partner_id' | 'site_id' | 'appliance_id' | 'epoch'>,
  o: { floor: number; now: () => number },
) {
  let seq = o.floor;
  const next = (change: Partial<Order>): Order => {
    seq += 1;
    const now = o.now();
    return {
      schema: 'compliance-agent/order/v1',
      order_id: uuid(seq),
      ...common,
      seq,
      issued_at: now,
      not_before: now,
      expires_at: now + 600,
      class: 'read',
      kind: 'run_check',
      params: { checks: ['disk'] },
      targets: [],
      dry_run: false,
      window: { mode: 'require' },
      ...change,
    };
  };
  let ids = 0xa000;
  const authorisation = (change: Partial<Authorisation> = {}): Authorisation => ({
    schema: 'compliance-agent/authorisation/v1',
    authorisation_id: uuid((ids += 1)),
    partner_id: common.partner_id,
    site_id: common.site_id,
    appliance_id: common.appliance_id,
    kind: 'set_healing',
    params: { action: 'enable' },
    targets: [],
    window: { mode: 'require' },
    issued_at: o.now() - 60,
    not_after: o.now() + DAY_S,
    ...change,
  });
  return { next, authorisation };
}

type Maker = ReturnType<typeof orderMaker>;

const signed = (order: Order, ...signers: Signer[]): unknown => json(signDocument('order', order, signers));
const json = (envelope: Envelope): unknown => JSON.parse(encodeEnvelope(envelope)) as unknown;
/** Signs bytes that the schema would not let through. */
const signedText = (text: string, ...signers: Signer[]): unknown =>
  json(signEnvelope(DOCUMENTS.order.payloadType, Buffer.from(text), signers));
const authorised = (value: Authorisation, ...signers: Signer[]): EmbeddedEnvelope =>
  toEmbedded(signDocument('authorisation', value, signers));

const ROUTINE = { class: 'routine', kind: 'set_healing', params: { action: 'pause', minutes: 5 } } as const;
const DISRUPTIVE = { class: 'disruptive', kind: 'set_healing', params: { action: 'enable' } } as const;

/** What is accepted: one order of each class. The authorisation of the third is used up by it. */
export function goodOrders(make: Maker, k: OrderKeys): { orders: unknown[]; usedAuthorisation: EmbeddedEnvelope } {
  const usedAuthorisation = authorised(make.authorisation(), k.alice, k.bob);
  return {
    orders: [
      signed(make.next({}), k.order),
      signed(make.next(ROUTINE), k.order),
      signed(make.next({ ...DISRUPTIVE, authorisation: usedAuthorisation }), k.order),
    ],
    usedAuthorisation,
  };
}

/** What the attacks are made of. */
export interface Tools {
  readonly make: Maker;
  readonly k: OrderKeys;
  readonly before: ReturnType<typeof goodOrders>;
  read(change: Partial<Order>): unknown;
  disruptive(authorisation: EmbeddedEnvelope, change?: Partial<Order>): unknown;
  /** An authorisation that two persons signed. */
  fresh(change?: Partial<Authorisation>): EmbeddedEnvelope;
  /** A good order whose payload is spelled otherwise before it is signed. */
  respelled(from: string, to: string): unknown;
  /** Times of an order, counted from now. */
  seconds(from: number, to: number): Partial<Order>;
}

export function attackTools(make: Maker, k: OrderKeys, before: ReturnType<typeof goodOrders>): Tools {
  const read = (change: Partial<Order>): unknown => signed(make.next(change), k.order);
  return {
    make,
    k,
    before,
    read,
    disruptive: (authorisation, change = {}) => read({ ...DISRUPTIVE, authorisation, ...change }),
    fresh: (change = {}) => authorised(make.authorisation(change), k.alice, k.bob),
    respelled: (from, to) => {
      const text = encodeDocument('order', make.next({})).toString('utf8');
      return signedText(text.replace(from, to), k.order);
    },
    seconds: (from, to) => {
      const { issued_at: now } = make.next({});
      return { issued_at: now + from, not_before: now + from, expires_at: now + to };
    },
  };
}

export const ORDER_ATTACKS: readonly OrderAttack[] = [
  { what: 'an order sent again', code: 'order_replayed', order: (t) => t.before.orders[0] },
  {
    what: 'an order whose payload was changed',
    code: 'order_signature_invalid',
    order: (t) => changedPayload(t.make, t.k),
  },
  { what: 'the signature of one order on another', code: 'order_signature_invalid', order: (t) => mixed(t.make, t.k) },
  {
    what: 'an order that the timestamp key signed',
    code: 'order_signature_invalid',
    order: (t) => signed(t.make.next({}), t.k.timestamp),
  },
  {
    what: 'an order that the device key signed',
    code: 'order_signature_invalid',
    order: (t) => signed(t.make.next({}), t.k.device),
  },
  {
    what: 'an order that an operator signed',
    code: 'order_signature_invalid',
    order: (t) => signed(t.make.next({}), t.k.alice),
  },
  {
    what: "an order of another partner's key",
    code: 'order_signature_invalid',
    order: (t) => signed(t.make.next({}), t.k.stranger),
  },
  {
    what: "a stranger's key under the keyid of ours",
    code: 'order_signature_invalid',
    order: (t) => signed(t.make.next({}), { ...t.k.stranger, keyid: t.k.order.keyid }),
  },
  {
    what: 'a signature with a torsion component in R',
    code: 'order_signature_invalid',
    order: (t) => withTorsion(t.make, t.k),
  },
  {
    what: 'no signature at all',
    code: 'order_envelope_invalid',
    order: (t) => ({ ...(signed(t.make.next({}), t.k.order) as object), signatures: [] }),
  },
  {
    what: 'an order key of another site',
    code: 'order_key_out_of_scope',
    order: (t) => signed(t.make.next({}), t.k.elsewhere),
  },
  {
    what: 'an order for another partner',
    code: 'order_other_partner',
    order: (t) => t.read({ partner_id: 'another-partner' }),
  },
  { what: 'an order for another site', code: 'order_other_site', order: (t) => t.read({ site_id: 'another-clinic' }) },
  {
    what: 'an order for another appliance',
    code: 'order_other_appliance',
    order: (t) => t.read({ appliance_id: 'another-box' }),
  },
  { what: 'an order of another epoch', code: 'order_other_epoch', order: (t) => t.read({ epoch: 99 }) },
  { what: 'an order that is expired', code: 'order_expired', order: (t) => t.read(t.seconds(-1_200, -600)) },
  { what: 'an order of the future', code: null, order: (t) => t.read(t.seconds(3_600, 4_000)) },
  { what: 'an order that lives too long', code: 'order_lifetime_too_long', order: (t) => t.read(t.seconds(0, 3_600)) },
  {
    what: 'an order whose times contradict each other',
    code: 'order_times_inconsistent',
    order: (t) => t.read(t.seconds(10, 5)),
  },
  {
    what: 'a seq far ahead, to use up all others',
    code: 'order_seq_too_high',
    order: (t) => t.read({ seq: 1_000_000 }),
  },
  {
    what: 'a class below the derived one',
    code: 'order_class_too_low',
    order: (t) => t.read({ ...DISRUPTIVE, class: 'routine' }),
  },
  { what: 'a class above the derived one', code: 'order_class_too_high', order: (t) => t.read({ class: 'routine' }) },
  {
    what: 'a runbook on an order that runs none',
    code: 'order_runbook_unexpected',
    order: (t) => t.read({ runbook: { id: 'RB-X', version: 1, sha256: '0'.repeat(64) } }),
  },
  {
    what: 'a runbook that no content list names',
    code: 'order_runbook_not_listed',
    order: (t) =>
      t.read({
        kind: 'run_runbook',
        class: 'routine',
        runbook: { id: 'RB-WIN-BACKUP-001', version: 1, sha256: 'ab'.repeat(32) },
      }),
  },
  {
    what: 'parameters of another kind',
    code: 'order_params_invalid',
    order: (t) => t.read({ params: { action: 'enable' } }),
  },
  {
    what: 'a target where the kind takes none',
    code: 'order_targets_invalid',
    order: (t) => t.read({ ...ROUTINE, targets: [{ id: 'server-1' }] }),
  },
  { what: 'a dry run of what has none', code: 'order_dry_run_unsupported', order: (t) => t.read({ dry_run: true }) },
  {
    what: 'the window left aside without leave of the site policy',
    code: 'order_override_not_allowed',
    order: (t) =>
      t.disruptive(t.fresh({ window: { mode: 'override', reason: 'now' } }), {
        window: { mode: 'override', reason: 'now' },
      }),
  },
  {
    what: 'disruptive work without an authorisation',
    code: 'order_authorisation_missing',
    order: (t) => t.read(DISRUPTIVE),
  },
  ...EPOCH_ATTACKS,
  {
    what: 'an authorisation that one of two persons signed',
    code: 'order_authorisation_signatures',
    order: (t) => t.disruptive(authorised(t.make.authorisation(), t.k.alice)),
  },
  {
    what: 'an authorisation that one key signed twice',
    code: 'order_authorisation_invalid',
    order: (t) => t.disruptive(twice(t.make, t.k.alice)),
  },
  {
    what: 'an authorisation that two keys of one person signed',
    code: 'order_authorisation_signatures',
    order: (t) => t.disruptive(authorised(t.make.authorisation(), t.k.alice, t.k.aliceAgain)),
  },
  {
    what: 'an authorisation that the order key signed',
    code: 'order_authorisation_signatures',
    order: (t) => t.disruptive(authorised(t.make.authorisation(), t.k.alice, t.k.order)),
  },
  {
    what: 'an authorisation that was used',
    code: 'order_authorisation_used',
    order: (t) => t.disruptive(t.before.usedAuthorisation),
  },
  {
    what: 'an authorisation for another appliance',
    code: 'order_authorisation_mismatch',
    order: (t) => t.disruptive(t.fresh({ appliance_id: 'another-box' })),
  },
  {
    what: 'an authorisation for other parameters',
    code: 'order_authorisation_mismatch',
    order: (t) => t.disruptive(t.fresh({ params: {} })),
  },
  {
    what: 'an authorisation for another target',
    code: 'order_authorisation_mismatch',
    order: (t) => t.disruptive(t.fresh({ targets: [{ id: 'server-1', pinned_identity: 'spki:1' }] })),
  },
  {
    what: 'an authorisation that is expired',
    code: 'order_authorisation_expired',
    order: (t) => t.disruptive(t.fresh(days(t.make, -2, -1))),
  },
  {
    what: 'an authorisation for longer than a week',
    code: 'order_authorisation_lifetime',
    order: (t) => t.disruptive(t.fresh(days(t.make, 0, 8))),
  },
  {
    what: 'an authorisation on an order that needs none',
    code: 'order_authorisation_unexpected',
    order: (t) => t.read({ authorisation: t.fresh() }),
  },
  {
    what: 'an unknown field',
    code: 'order_schema_invalid',
    order: (t) => t.respelled('{"schema"', '{"also":"reboot","schema"'),
  },
  {
    what: 'a duplicate JSON key',
    code: 'order_schema_invalid',
    order: (t) => t.respelled('"dry_run":false', '"dry_run":true,"dry_run":false'),
  },
  {
    what: 'nesting beyond the limit',
    code: 'order_schema_invalid',
    order: (t) => t.respelled('"params":{', `"params":{"deep":${'['.repeat(40)}${']'.repeat(40)},`),
  },
  {
    what: 'an order beyond its size',
    code: 'order_too_large',
    order: (t) => t.respelled('"params":{', `"params":{"filler":"${'x'.repeat(FILLER_CHARS)}",`),
  },
  {
    what: 'an unsigned field beside the envelope',
    code: 'order_envelope_invalid',
    order: (t) => ({ ...(t.read({}) as object), kind: 'reboot' }),
  },
  {
    what: 'another signed document in the place of an order',
    code: 'order_payload_type',
    order: (t) => json(signDocument('authorisation', t.make.authorisation(), [t.k.order])),
  },
];

function changedPayload(make: Maker, k: OrderKeys): unknown {
  const good = signDocument('order', make.next({}), [k.order]);
  return json({ ...good, payload: encodeDocument('order', make.next({ params: { checks: ['self'] } })) });
}

function mixed(make: Maker, k: OrderKeys): unknown {
  const [one, other] = [
    signDocument('order', make.next({}), [k.order]),
    signDocument('order', make.next({}), [k.order]),
  ];
  return json({ ...one, signatures: other.signatures });
}

function withTorsion(make: Maker, k: OrderKeys): unknown {
  const good = signDocument('order', make.next({}), [k.order]);
  const key = createPrivateKey(readFileSync(k.orderKeyFile));
  const sig = torsionSignature(key, pae(good.payloadType, good.payload));
  return json({ ...good, signatures: [{ keyid: k.order.keyid, sig }] });
}

function twice(make: Maker, signer: Signer): EmbeddedEnvelope {
  const once = signDocument('authorisation', make.authorisation(), [signer]);
  return toEmbedded({ ...once, signatures: [...once.signatures, ...once.signatures] });
}

function days(make: Maker, from: number, to: number): Partial<Authorisation> {
  const { issued_at: now } = make.authorisation();
  return { issued_at: now + from * DAY_S, not_after: now + to * DAY_S };
}

/** UUIDv7-shaped; the tests need only that they differ. */
const uuid = (n: number): string => `019f0000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
