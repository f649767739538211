import fc from 'fast-check';
import { describe, it, expect } from 'vitest';
import { ACCEPTANCE_STEPS, acceptOrder, type AcceptanceContext } from '../../../agent/guards/order-acceptance.ts';
import type { Order } from '../../../agent/wire/schemas/order.ts';
import { acceptanceContext, disruptiveOrder, NIGHT } from '../../support/acceptance-fixtures.ts';
import { makeTrust, NOW, signerFrom } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const good = trust.sign('order', disruptiveOrder(trust));
const goodContext = acceptanceContext(trust, { nowT: NIGHT });
const CODES = new Set<string>(ACCEPTANCE_STEPS.flatMap(([, codes]) => codes as readonly string[]));

/** The verdict must be one of the listed refusals or waits; anything thrown fails the property. */
function isStopped(line: string, ctx = goodContext): boolean {
  const verdict = acceptOrder(line, ctx);
  return verdict.verdict !== 'accepted' && CODES.has(verdict.code);
}

interface Parts {
  payload: string;
  payloadType: string;
  signatures: { keyid: string; sig: string }[];
}

describe('a valid disruptive order', () => {
  it('is accepted before anything is done to it', () => {
    expect(acceptOrder(good, goodContext)).toMatchObject({ verdict: 'accepted' });
  });
  it('is never accepted after any one bit of its signed payload was flipped', () => {
    const parts = JSON.parse(good) as Parts;
    const payload = Buffer.from(parts.payload, 'base64');
    fc.assert(
      fc.property(fc.nat(payload.length - 1), fc.nat(7), (at, bit) => {
        const bent = Buffer.from(payload);
        bent[at]! ^= 1 << bit;
        return isStopped(JSON.stringify({ ...parts, payload: bent.toString('base64') }));
      }),
      { numRuns: 400 },
    );
  });
  it('is never accepted after any one bit of its signature was flipped', () => {
    const parts = JSON.parse(good) as Parts;
    const sig = Buffer.from(parts.signatures[0]!.sig, 'base64');
    fc.assert(
      fc.property(fc.nat(63), fc.nat(7), (at, bit) => {
        const bent = Buffer.from(sig);
        bent[at]! ^= 1 << bit;
        const signatures = [{ keyid: parts.signatures[0]!.keyid, sig: bent.toString('base64') }];
        return isStopped(JSON.stringify({ ...parts, signatures }));
      }),
    );
  });
  it('is never accepted after any character of its line was replaced, removed or doubled', () => {
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.string({ maxLength: 2 }), (at, other) => {
        const bent = good.slice(0, at) + other + good.slice(at + 1);
        return bent === good || isStopped(bent);
      }),
      { numRuns: 500 },
    );
  });
  it('is never accepted with its fields, or those of its signature, in another order', () => {
    const parts = JSON.parse(good) as Parts;
    fc.assert(
      fc.property(fc.shuffledSubarray(Object.entries(parts), { minLength: 3 }), (entries) => {
        const bent = JSON.stringify(Object.fromEntries(entries));
        return bent === good || isStopped(bent);
      }),
    );
    const [{ keyid, sig }] = parts.signatures as [Parts['signatures'][0]];
    expect(isStopped(JSON.stringify({ ...parts, signatures: [{ sig, keyid }] }))).toBe(true);
  });
  it('is never accepted with any field beside the envelope', () => {
    const parts = JSON.parse(good) as Parts;
    fc.assert(
      fc.property(fc.string(), fc.jsonValue(), (name, value) =>
        Object.hasOwn(parts, name) ? true : isStopped(JSON.stringify({ ...parts, [name]: value })),
      ),
    );
  });
  it('stays accepted beside signatures that count for nothing', () => {
    const strangers = ['a', 'b', 'c'].map((name) => signerFrom(name));
    const order = disruptiveOrder(trust);
    const line = trust.sign('order', order, ...strangers, trust.keys['order']!, trust.keys['operator:alice']!);
    expect(acceptOrder(line, goodContext)).toMatchObject({ verdict: 'accepted', persons: ['central'] });
  });
});

describe('acceptance of arbitrary lines', () => {
  it('never throws and never accepts text that nobody signed', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.string({ unit: 'binary' })), (line) => isStopped(line)),
      { numRuns: 500 },
    );
  });
  it('never throws and never accepts any signed JSON that is no order', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => isStopped(trust.signUnchecked('order', value))),
      { numRuns: 200 },
    );
  });
  it('never throws and never accepts an order with one field replaced by anything', () => {
    const order = disruptiveOrder(trust);
    fc.assert(
      fc.property(fc.constantFrom(...(Object.keys(order) as (keyof Order)[])), fc.jsonValue(), (field, value) => {
        const bent = { ...order, [field]: value };
        // These may hold other values that are as good.
        const free = field === 'order_id' || field === 'ticket' || JSON.stringify(bent) === JSON.stringify(order);
        return free || isStopped(trust.signUnchecked('order', bent));
      }),
      { numRuns: 300 },
    );
  });
});

/** One defect per step, in the order of the steps, each as a change of order and context that no other defect undoes. */
interface Draft {
  order: Record<string, unknown>;
  ctx: Partial<AcceptanceContext>;
  signer: string;
  pad: number;
}
const DEFECTS: readonly (readonly [string, (draft: Draft) => void])[] = [
  ['order_too_large', (d) => (d.pad = 70_000)],
  ['order_signature_invalid', (d) => (d.signer = 'timestamp')],
  ['order_other_partner', (d) => (d.order['partner_id'] = 'southern-it')],
  ['order_other_site', (d) => (d.order['site_id'] = 'side-street')],
  ['order_other_appliance', (d) => (d.order['appliance_id'] = 'main-street-2')],
  ['order_other_epoch', (d) => (d.order['epoch'] = 9)],
  ['order_schema_invalid', (d) => (d.order['shell'] = 'rm')],
  ['order_replayed', (d) => (d.ctx = { ...d.ctx, floor: 5 })],
  ['order_expired', (d) => (d.ctx = { ...d.ctx, nowT: NOW + 86_400 })],
  ['order_class_too_low', (d) => (d.order['class'] = 'read')],
  ['order_runbook_unexpected', (d) => (d.order['runbook'] = { id: 'RB', version: 1, sha256: 'a1'.repeat(32) })],
  ['order_params_invalid', (d) => (d.order['params'] = { force: true })],
  ['order_authorisation_missing', (d) => delete d.order['authorisation']],
  ['order_healing_paused', (d) => (d.ctx = { ...d.ctx, healingPaused: true })],
  ['order_clock_unsound', (d) => (d.ctx = { ...d.ctx, clockSound: false })],
];

describe('the order of the steps', () => {
  it('decides which of several defects is named: always the earliest', () => {
    fc.assert(
      fc.property(fc.subarray(DEFECTS.slice(), { minLength: 1 }), (defects) => {
        const draft: Draft = { order: { ...disruptiveOrder(trust) }, ctx: { nowT: NIGHT }, signer: 'order', pad: 0 };
        for (const [, apply] of defects) apply(draft);
        // A runbook that is not listed makes the class unknown: the class is then judged by kind alone, which still is too low.
        const line = trust.signUnchecked('order', draft.order, trust.keys[draft.signer]!) + ' '.repeat(draft.pad);
        const verdict = acceptOrder(line, acceptanceContext(trust, draft.ctx));
        expect(verdict).toMatchObject({ code: defects[0]![0] });
      }),
      { numRuns: 400 },
    );
  });
  it('lists the codes in the order in which the steps name them', () => {
    const listed = ACCEPTANCE_STEPS.flatMap(([, codes]) => codes as readonly string[]);
    const places = DEFECTS.map(([code]) => listed.indexOf(code));
    expect(places).not.toContain(-1);
    expect(places.toSorted((a, b) => a - b)).toEqual(places);
  });
});
