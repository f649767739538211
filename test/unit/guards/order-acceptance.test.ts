import { describe, it, expect } from 'vitest';
import { acceptOrder, type AcceptanceContext } from '../../../agent/guards/order-acceptance.ts';
import { paramsOf } from '../../../agent/guards/order-params.ts';
import { sha256Hex } from '../../../agent/wire/digest.ts';
import { encodeDocument } from '../../../agent/wire/document.ts';
import { toEmbedded, envelopeFromEmbedded } from '../../../agent/wire/dsse.ts';
import { payloadDigest } from '../../../agent/wire/document.ts';
import type { Order } from '../../../agent/wire/schemas/order.ts';
import {
  acceptanceContext,
  disruptiveOrder,
  NIGHT,
  PATCH_ORDER,
  runbookOrder,
} from '../../support/acceptance-fixtures.ts';
import { makeTrust, NOW, signerFrom, uuidOf } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const judge = (order: Order, ctx: Partial<AcceptanceContext> = {}) =>
  acceptOrder(trust.sign('order', order), acceptanceContext(trust, ctx));

describe('an order that passes every step', () => {
  it('is accepted with its digest, its signers and its derived class', () => {
    const order = trust.order({ params: { checks: ['disk'] } });
    expect(judge(order)).toEqual({
      verdict: 'accepted',
      order,
      digest: sha256Hex(encodeDocument('order', order)),
      persons: ['central'],
      requiredClass: 'read',
      authorisationDigest: null,
      authorisationId: null,
    });
  });
  it.each<[string, Partial<Order>, Partial<AcceptanceContext>]>([
    ['a check of everything', {}, {}],
    ['diagnostics', { kind: 'collect_diagnostics', params: { items: ['clock', 'disk'] } }, {}],
    ['a restart', { kind: 'restart_agent', class: 'routine' }, {}],
    [
      'a pause of healing for an hour',
      { kind: 'set_healing', class: 'routine', params: { action: 'pause', minutes: 60 } },
      {},
    ],
    ['a pause of healing without an end', { kind: 'set_healing', class: 'routine', params: { action: 'pause' } }, {}],
    ['an order in its first second', { not_before: NOW }, {}],
    ['an order in its last second', { expires_at: NOW + 1 }, {}],
    ['an order that lives 15 minutes', { not_before: NOW, expires_at: NOW + 900 }, {}],
    ['the seq just above the floor', { seq: 8 }, { floor: 7 }],
    ['the seq 10,000 above the floor', { seq: 10_007 }, { floor: 7 }],
    ['a read order while signed time went back', {}, { readOnly: true }],
    ['a read order while healing is paused', {}, { healingPaused: true }],
    ['a read order while the clock is unsound', {}, { clockSound: false }],
    ['a read order before the first content list and site policy', {}, { content: null, policy: null }],
    ['a read order long after the content list expired', {}, { content: trust.contentList({ expires_at: NOW - 9e6 }) }],
    ['a restart while healing is paused', { kind: 'restart_agent', class: 'routine' }, { healingPaused: true }],
  ])('may be %s', (_, partial, ctx) => {
    expect(judge(trust.order(partial), ctx)).toMatchObject({ verdict: 'accepted' });
  });
  it('may run a listed routine runbook in the grace period of the content list', () => {
    const content = trust.contentList({ expires_at: NOW - 30 * 86_400 + 1 });
    expect(judge(runbookOrder(trust), { content })).toMatchObject({ verdict: 'accepted', requiredClass: 'routine' });
  });
  it('may be a dry run while healing is paused', () => {
    expect(judge(runbookOrder(trust, { dry_run: true }), { healingPaused: true })).toMatchObject({
      verdict: 'accepted',
    });
  });
});

describe('a disruptive order', () => {
  const night = { nowT: NIGHT };
  it('is accepted inside the window when two operators authorised exactly it', () => {
    const order = disruptiveOrder(trust, { order: PATCH_ORDER });
    const authorisation = envelopeFromEmbedded(order.authorisation!);
    expect(judge(order, night)).toMatchObject({
      verdict: 'accepted',
      requiredClass: 'disruptive',
      authorisationDigest: payloadDigest(authorisation),
      authorisationId: uuidOf(0xa1),
    });
    expect(toEmbedded(authorisation)).toEqual(order.authorisation);
  });
  it('is deferred to the exact next opening outside of the window, with its authorisation named', () => {
    const order = disruptiveOrder(trust, { order: { issued_at: NOW, not_before: NOW, expires_at: NOW + 60 } });
    expect(judge(order)).toMatchObject({
      verdict: 'deferred',
      code: 'order_window_closed',
      until: Date.UTC(2026, 5, 1, 22) / 1000,
      authorisationDigest: payloadDigest(envelopeFromEmbedded(order.authorisation!)),
    });
  });
  it('goes by the window of the configuration until there is a site policy, and by that of the policy from then on', () => {
    const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
    const localWindow = (start: string, end: string) => ({
      timeZone: 'UTC',
      windows: [{ days: [...weekdays], start, end }],
    });
    const order = disruptiveOrder(trust);
    const open = { ...night, localWindow: localWindow('22:00', '04:00') };
    const closed = { ...night, localWindow: localWindow('10:00', '11:00') };
    expect(judge(order, { ...open, policy: null })).toMatchObject({ verdict: 'accepted' });
    expect(judge(order, { ...closed, policy: null })).toMatchObject({ code: 'order_window_closed' });
    expect(judge(order, closed)).toMatchObject({ verdict: 'accepted' });
    const without = trust.policy({ windows: [] });
    expect(judge(order, { ...open, policy: without })).toMatchObject({ code: 'order_window_closed', until: null });
  });
  it('is accepted again as a new order that embeds the same authorisation, as long as none was used', () => {
    const first = disruptiveOrder(trust, { order: { seq: 4 } });
    const second: Order = { ...first, seq: 5, order_id: uuidOf(2) };
    expect(judge(first, { ...night, floor: 3 })).toMatchObject({ verdict: 'accepted' });
    expect(judge(second, { ...night, floor: 4 })).toMatchObject({ verdict: 'accepted' });
    const usedAuthorisations = new Set([uuidOf(0xa1)]);
    expect(judge(second, { ...night, floor: 4, usedAuthorisations })).toMatchObject({
      code: 'order_authorisation_used',
    });
  });
  it('is refused when the used authorisation is named by its digest', () => {
    const order = disruptiveOrder(trust);
    const usedAuthorisations = new Set([payloadDigest(envelopeFromEmbedded(order.authorisation!))]);
    expect(judge(order, { ...night, usedAuthorisations })).toMatchObject({ code: 'order_authorisation_used' });
  });
  it('is refused where it is older than what is known of its use: a lost database forgets no act', () => {
    const order = disruptiveOrder(trust, { authorisation: { issued_at: NIGHT - 100 } });
    expect(judge(order, { ...night, usesKnownSince: NIGHT - 101 })).toMatchObject({ verdict: 'accepted' });
    expect(judge(order, { ...night, usesKnownSince: NIGHT - 100 })).toMatchObject({ code: 'order_authorisation_used' });
  });
  it('needs two operators although a bent root says one, unless the root names a single approver', () => {
    const bent = makeTrust({ change: (root) => void (root.roles.operator.threshold = 1) });
    const order = disruptiveOrder(trust, { signers: [trust.keys['operator:alice']!] });
    expect(judge(order, { ...night, root: bent.root.root })).toMatchObject({ code: 'order_authorisation_signatures' });
  });
  it('counts an operator with two keys as one person', () => {
    const again = signerFrom('alice again');
    const bent = makeTrust({
      change(root) {
        root.keys.push({ keyid: again.keyid, spki: again.spki, person: 'alice' });
        root.roles.operator.keyids.push(again.keyid);
      },
    });
    const order = disruptiveOrder(trust, { signers: [trust.keys['operator:alice']!, again] });
    expect(judge(order, { ...night, root: bent.root.root })).toMatchObject({ code: 'order_authorisation_signatures' });
  });
  it('leaves the window aside when authorisation and site policy both say so, yet never with an unsound clock', () => {
    const window = { mode: 'override' as const, reason: 'ransomware' };
    const order = disruptiveOrder(trust, { order: { window, issued_at: NOW, not_before: NOW, expires_at: NOW + 60 } });
    const policy = trust.policy({ allow_disruptive_outside_window: true });
    expect(judge(order, { policy })).toMatchObject({ verdict: 'accepted' });
    expect(judge(order, { policy, clockSound: false })).toMatchObject({ code: 'order_clock_unsound' });
  });
  it('may lift the pause of healing while healing is paused', () => {
    const order = disruptiveOrder(trust, { order: { kind: 'set_healing', params: { action: 'enable' } } });
    expect(judge(order, { ...night, healingPaused: true })).toMatchObject({ verdict: 'accepted' });
  });
});

describe('the delay of a single approver', () => {
  const direct = makeTrust({ direct: true });
  const order = disruptiveOrder(direct, { authorisation: { issued_at: NOW - 86_400 } });
  const digest = payloadDigest(envelopeFromEmbedded(order.authorisation!));
  const at = (seen: number | null) =>
    acceptOrder(
      direct.sign('order', order),
      acceptanceContext(direct, {
        nowT: NIGHT,
        ...(seen === null ? {} : { authorisationsSeen: new Map([[digest, seen]]) }),
      }),
    );
  it('starts when the authorisation is first seen, whatever issued_at it claims', () => {
    expect(at(null)).toMatchObject({ verdict: 'deferred', code: 'order_authorisation_delay', until: NIGHT + 3_600 });
    expect(at(NIGHT - 3_599)).toMatchObject({ verdict: 'deferred', until: NIGHT + 1 });
    expect(at(null)).toMatchObject({ authorisationDigest: digest });
  });
  it('ends after an hour', () => {
    expect(at(NIGHT - 3_600)).toMatchObject({ verdict: 'accepted' });
  });
  it('is not waited where two persons signed', () => {
    const bent = makeTrust({
      change(root) {
        root.roles.operator.threshold = 1;
        root.single_approver = { delay_s: 3_600 };
      },
    });
    const line = trust.sign('order', disruptiveOrder(trust));
    expect(acceptOrder(line, acceptanceContext(bent, { nowT: NIGHT }))).toMatchObject({ verdict: 'accepted' });
  });
});

describe('what a refusal names', () => {
  it('is the payload and not the envelope, so that another signature over it is the same refusal', () => {
    const order = trust.order({ seq: 3 });
    const ctx = acceptanceContext(trust, { floor: 3 });
    const alone = acceptOrder(trust.sign('order', order), ctx);
    const accompanied = acceptOrder(trust.sign('order', order, trust.keys['order']!, signerFrom('stranger')), ctx);
    expect(alone).toEqual(accompanied);
    expect(alone.digest).toBe(sha256Hex(encodeDocument('order', order)));
  });
  it('holds the order once its schema was judged, and never before', () => {
    expect(judge(trust.order(), { floor: 1 }).order).not.toBeNull();
    expect(judge(trust.order({ epoch: 2 })).order).toBeNull();
  });
});

describe('the params of an accepted order', () => {
  it('come back typed by the schema that judged them', () => {
    const order = trust.order({ kind: 'set_healing', params: { action: 'pause', minutes: 5 } });
    expect(paramsOf('set_healing', order)).toEqual({ action: 'pause', minutes: 5 });
  });
});
