import { describe, it, expect } from 'vitest';
import type { ErrorCode } from '../../../agent/errors/codes.ts';
import { ACCEPTANCE_STEPS, acceptOrder, type AcceptanceContext } from '../../../agent/guards/order-acceptance.ts';
import { encodeDocument } from '../../../agent/wire/document.ts';
import type { Order } from '../../../agent/wire/schemas/order.ts';
import { DOCUMENTS } from '../../../agent/wire/schemas/payload-types.ts';
import {
  acceptanceContext,
  disruptiveOrder,
  NIGHT,
  PATCH_ORDER,
  runbookOrder,
} from '../../support/acceptance-fixtures.ts';
import { DISRUPTIVE_RUNBOOK, makeTrust, NOW, RUNBOOK, SITE, signerFrom, uuidOf } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const { keys } = trust;
const night: Partial<AcceptanceContext> = { nowT: NIGHT };
const pinned = (id: string) => ({ id, pinned_identity: `S-1-5-21-${id}` });

interface Row {
  readonly line: string;
  readonly ctx?: Partial<AcceptanceContext>;
}
const signed = (partial: Partial<Order>, ctx: Partial<AcceptanceContext> = {}): Row => ({
  line: trust.sign('order', trust.order(partial)),
  ctx,
});
const unchecked = (value: unknown): Row => ({ line: trust.signUnchecked('order', value) });
const disruptive = (o: Parameters<typeof disruptiveOrder>[1], ctx: Partial<AcceptanceContext> = {}): Row => ({
  line: trust.sign('order', disruptiveOrder(trust, o)),
  ctx: { ...night, ...ctx },
});
const runbook = (partial: Partial<Order>, ctx: Partial<AcceptanceContext> = {}): Row => ({
  line: trust.sign('order', runbookOrder(trust, partial)),
  ctx,
});
const outer = (change: (envelope: Record<string, unknown>) => void): Row => {
  const envelope = JSON.parse(trust.sign('order', trust.order())) as Record<string, unknown>;
  change(envelope);
  return { line: JSON.stringify(envelope) };
};
/** A root whose order role holds two services and needs both, or whose order key is limited to sites. */
const twoServices = makeTrust({
  change(root) {
    const second = signerFrom('second order key');
    root.persons.push({ id: 'central-2', name: 'Second service', kind: 'service' });
    root.keys.push({ keyid: second.keyid, spki: second.spki, person: 'central-2' });
    root.roles.order = { threshold: 2, keyids: [...root.roles.order.keyids, second.keyid] };
  },
});
const limited = (sites: string[]) =>
  makeTrust({
    change(root) {
      for (const key of root.keys) if (root.roles.order.keyids.includes(key.keyid)) key.sites = sites;
    },
  }).root.root;
const limitedOperators = makeTrust({
  change(root) {
    for (const key of root.keys) if (root.roles.operator.keyids.includes(key.keyid)) key.sites = ['other-site'];
  },
}).root.root;

const REFUSALS: readonly (readonly [string, ErrorCode, () => Row])[] = [
  // size
  ['a line of more than 64 KiB', 'order_too_large', () => ({ line: 'x'.repeat(65_537) })],
  [
    'a payload of more than 48,000 bytes, although the line fits',
    'order_too_large',
    () => ({ line: trust.signRaw(DOCUMENTS.order.payloadType, 'x'.repeat(48_001), keys['order']!) }),
  ],
  // envelope
  ['an empty line', 'order_envelope_invalid', () => ({ line: '' })],
  ['text that is no JSON', 'order_envelope_invalid', () => ({ line: 'run_check please' })],
  [
    'a line that ends in a line feed',
    'order_envelope_invalid',
    () => ({ line: `${trust.sign('order', trust.order())}\n` }),
  ],
  ['an unsigned field beside the envelope', 'order_envelope_invalid', () => outer((e) => (e['kind'] = 'reboot'))],
  [
    'unsigned params beside the envelope',
    'order_envelope_invalid',
    () => outer((e) => (e['params'] = { checks: ['disk'] })),
  ],
  [
    'an unsigned field inside a signature',
    'order_envelope_invalid',
    () => outer((e) => ((e['signatures'] as Record<string, unknown>[])[0]!['class'] = 'disruptive')),
  ],
  [
    'envelope fields in another order',
    'order_envelope_invalid',
    () => {
      const e = JSON.parse(trust.sign('order', trust.order())) as Record<string, unknown>;
      return {
        line: JSON.stringify({ payloadType: e['payloadType'], payload: e['payload'], signatures: e['signatures'] }),
      };
    },
  ],
  [
    'a payload field that stands twice',
    'order_envelope_invalid',
    () => ({
      line: trust.sign('order', trust.order()).replace('{"payload":', '{"payload":"e30=","payload":'),
    }),
  ],
  ['no signature', 'order_envelope_invalid', () => outer((e) => (e['signatures'] = []))],
  [
    'the same keyid twice',
    'order_envelope_invalid',
    () => outer((e) => (e['signatures'] = [...(e['signatures'] as unknown[]), ...(e['signatures'] as unknown[])])),
  ],
  [
    'a payload in the URL alphabet',
    'order_envelope_invalid',
    () => outer((e) => (e['payload'] = `${String(e['payload']).slice(0, -4)}-_==`)),
  ],
  [
    'a content list offered as an order',
    'order_payload_type',
    () => ({ line: trust.sign('contentList', trust.contentList()) }),
  ],
  [
    'an authorisation offered as an order',
    'order_payload_type',
    () => ({
      line: trust.sign('authorisation', trust.authorisation()),
    }),
  ],
  // signatures
  [
    'a payload in which one digit was changed',
    'order_signature_invalid',
    () =>
      outer((e) => {
        const text = Buffer.from(String(e['payload']), 'base64').toString();
        e['payload'] = Buffer.from(text.replace('"seq":1', '"seq":2')).toString('base64');
      }),
  ],
  [
    'a payloadType changed after signing',
    'order_signature_invalid',
    () => ({
      line: trust
        .signRaw('application/vnd.compliance-agent.ordex+json', encodeDocument('order', trust.order()), keys['order']!)
        .replace('ordex', 'order'),
    }),
  ],
  [
    'the signature of a key that is in no role',
    'order_signature_invalid',
    () => ({
      line: trust.sign('order', trust.order(), signerFrom('stranger')),
    }),
  ],
  [
    'the signature of a stranger under the keyid of the order key',
    'order_signature_invalid',
    () => ({
      line: trust.sign('order', trust.order(), { ...signerFrom('stranger'), keyid: keys['order']!.keyid }),
    }),
  ],
  [
    'the signature of the timestamp key',
    'order_signature_invalid',
    () => ({
      line: trust.sign('order', trust.order(), keys['timestamp']!),
    }),
  ],
  [
    'the timestamp key under the keyid of the order key',
    'order_signature_invalid',
    () => ({
      line: trust.sign('order', trust.order(), { ...keys['timestamp']!, keyid: keys['order']!.keyid }),
    }),
  ],
  [
    'the signatures of two operators instead of the order key',
    'order_signature_invalid',
    () => ({
      line: trust.sign('order', trust.order(), keys['operator:alice']!, keys['operator:bob']!),
    }),
  ],
  [
    'the signature of the appliance itself',
    'order_signature_invalid',
    () => ({
      line: trust.sign('order', trust.order(), keys['device']!),
    }),
  ],
  [
    'the signature of the order key of another root',
    'order_signature_invalid',
    () => ({
      line: trust.sign('order', trust.order(), makeTrust({ seed: 'other' }).keys['order']!),
    }),
  ],
  [
    'the signature of another order under the right keyid',
    'order_signature_invalid',
    () => {
      const other = JSON.parse(trust.sign('order', trust.order({ seq: 2 }))) as { signatures: unknown };
      return outer((e) => (e['signatures'] = other.signatures));
    },
  ],
  [
    'a signature cut by one byte',
    'order_signature_invalid',
    () => ({
      line: trust.sign('order', trust.order(), {
        ...keys['order']!,
        sign: (data) => keys['order']!.sign(data).subarray(0, 63),
      }),
    }),
  ],
  [
    'one of two needed persons',
    'order_threshold_not_met',
    () => ({
      line: twoServices.sign('order', trust.order(), twoServices.keys['order']!),
      ctx: { root: twoServices.root.root },
    }),
  ],
  [
    'two keys of one person where two persons are needed',
    'order_threshold_not_met',
    () => {
      const bent = makeTrust({
        change(root) {
          const again = signerFrom('again');
          root.keys.push({ keyid: again.keyid, spki: again.spki, person: 'central' });
          root.roles.order = { threshold: 2, keyids: [...root.roles.order.keyids, again.keyid] };
        },
      });
      const line = bent.sign('order', trust.order(), bent.keys['order']!, signerFrom('again'));
      return { line, ctx: { root: bent.root.root } };
    },
  ],
  [
    'a key that may sign for another site only',
    'order_key_out_of_scope',
    () => ({
      ...signed({}),
      ctx: { root: limited(['other-site']) },
    }),
  ],
  ['a revoked key', 'order_key_revoked', () => signed({}, { revokedKeyids: new Set([keys['order']!.keyid]) })],
  // identity
  ['another partner', 'order_other_partner', () => signed({ partner_id: 'southern-it' })],
  ['another site', 'order_other_site', () => signed({ site_id: 'side-street' })],
  ['another appliance', 'order_other_appliance', () => signed({ appliance_id: 'main-street-2' })],
  ['another epoch', 'order_other_epoch', () => signed({ epoch: 2 })],
  [
    'another appliance in an order with an unknown field',
    'order_other_appliance',
    () => unchecked({ ...trust.order({ appliance_id: 'main-street-2' }), shell: 'rm' }),
  ],
  // schema
  [
    'an unknown field in the signed payload',
    'order_schema_invalid',
    () => unchecked({ ...trust.order(), shell: 'rm' }),
  ],
  ['a missing field', 'order_schema_invalid', () => unchecked({ ...trust.order(), seq: undefined })],
  [
    'an appliance_id that is no text',
    'order_schema_invalid',
    () => unchecked({ ...trust.order(), appliance_id: ['main-street-1'] }),
  ],
  ['an epoch as text', 'order_schema_invalid', () => unchecked({ ...trust.order(), epoch: '1' })],
  ['a seq with a fraction', 'order_schema_invalid', () => unchecked({ ...trust.order(), seq: 1.5 })],
  ['seq 0', 'order_schema_invalid', () => unchecked({ ...trust.order(), seq: 0 })],
  ['a kind that is not in the list', 'order_schema_invalid', () => unchecked({ ...trust.order(), kind: 'run_shell' })],
  ['a class that is not in the list', 'order_schema_invalid', () => unchecked({ ...trust.order(), class: 'harmless' })],
  ['a payload that is a list', 'order_schema_invalid', () => unchecked([trust.order()])],
  ['a payload that is null', 'order_schema_invalid', () => unchecked(null)],
  [
    'a signed payload with white space',
    'order_schema_invalid',
    () => ({
      line: trust.signRaw(DOCUMENTS.order.payloadType, JSON.stringify(trust.order(), null, 1), keys['order']!),
    }),
  ],
  [
    'a signed payload with a field that stands twice',
    'order_schema_invalid',
    () => ({
      line: trust.signRaw(
        DOCUMENTS.order.payloadType,
        JSON.stringify(trust.order()).replace('"seq":1', '"seq":9,"seq":1'),
        keys['order']!,
      ),
    }),
  ],
  [
    'a signed payload that is no UTF-8',
    'order_schema_invalid',
    () => ({
      line: trust.signRaw(DOCUMENTS.order.payloadType, Buffer.from([0x7b, 0xff, 0x7d]), keys['order']!),
    }),
  ],
  [
    'an override without a reason',
    'order_schema_invalid',
    () => unchecked({ ...trust.order(), window: { mode: 'override' } }),
  ],
  // seq
  ['a seq that was decided on', 'order_replayed', () => signed({ seq: 7 }, { floor: 7 })],
  ['a seq below the floor', 'order_replayed', () => signed({ seq: 6 }, { floor: 7 })],
  ['a seq 10,001 above the floor', 'order_seq_too_high', () => signed({ seq: 10_008 }, { floor: 7 })],
  // time
  ['not_before before issued_at', 'order_times_inconsistent', () => signed({ not_before: NOW - 11 })],
  ['expires_at at not_before', 'order_times_inconsistent', () => signed({ expires_at: NOW - 10 })],
  ['a life of 15 minutes and a second', 'order_lifetime_too_long', () => signed({ expires_at: NOW - 10 + 901 })],
  ['a life beyond the limit of this appliance', 'order_lifetime_too_long', () => signed({}, { maxLifetimeS: 300 })],
  [
    'an expired root',
    'order_root_expired',
    () => {
      const { expires_at } = trust.root.root;
      return signed(
        { issued_at: expires_at, not_before: expires_at, expires_at: expires_at + 60 },
        { nowT: expires_at },
      );
    },
  ],
  ['the second of its expiry', 'order_expired', () => signed({}, { nowT: NOW + 600 })],
  ['a day after its expiry', 'order_expired', () => signed({}, { nowT: NOW + 86_400 })],
  // class
  [
    'a kind without a handler',
    'order_kind_unsupported',
    () => signed({}, { supportedKinds: new Set(['restart_agent']) }),
  ],
  ['a routine kind called read', 'order_class_too_low', () => signed({ kind: 'restart_agent', class: 'read' })],
  ['a reboot called routine', 'order_class_too_low', () => signed({ kind: 'reboot', class: 'routine' })],
  [
    'lifting the pause of healing called routine',
    'order_class_too_low',
    () => signed({ kind: 'set_healing', class: 'routine', params: { action: 'enable' } }),
  ],
  [
    'an unknown action of set_healing called routine',
    'order_class_too_low',
    () => signed({ kind: 'set_healing', class: 'routine', params: { action: 'PAUSE' } }),
  ],
  [
    'set_healing without an action called routine',
    'order_class_too_low',
    () => signed({ kind: 'set_healing', class: 'routine' }),
  ],
  ['a disruptive runbook called routine', 'order_class_too_low', () => runbook({ runbook: DISRUPTIVE_RUNBOOK })],
  [
    'a window override called routine',
    'order_class_too_low',
    () => runbook({ window: { mode: 'override', reason: 'now' } }),
  ],
  [
    'a dry run of a disruptive runbook called routine',
    'order_class_too_low',
    () => runbook({ runbook: DISRUPTIVE_RUNBOOK, dry_run: true }),
  ],
  ['a read kind called routine', 'order_class_too_high', () => signed({ class: 'routine' })],
  ['a read kind called disruptive', 'order_class_too_high', () => signed({ class: 'disruptive' })],
  // content
  ['run_runbook without a runbook', 'order_runbook_missing', () => signed({ kind: 'run_runbook', class: 'routine' })],
  [
    'a runbook whose digest is not listed',
    'order_runbook_not_listed',
    () => runbook({ runbook: { ...RUNBOOK, sha256: 'ff'.repeat(32) } }),
  ],
  [
    'a listed digest under another runbook id',
    'order_runbook_not_listed',
    () => runbook({ runbook: { ...RUNBOOK, id: 'RB-WIN-LOGGING-001' } }),
  ],
  [
    'a listed digest under another version',
    'order_runbook_not_listed',
    () => runbook({ runbook: { ...RUNBOOK, version: 2 } }),
  ],
  [
    'the digest of a baseline as a runbook',
    'order_runbook_not_listed',
    () => runbook({ runbook: { id: 'site', version: 1, sha256: 'b1'.repeat(32) } }),
  ],
  ['a runbook before the first content list', 'order_runbook_not_listed', () => runbook({}, { content: null })],
  [
    'a listed runbook on a kind that runs none',
    'order_runbook_unexpected',
    () => signed({ kind: 'restart_agent', class: 'routine', runbook: RUNBOOK }),
  ],
  [
    'a routine runbook more than 30 days after the content list expired',
    'order_content_expired',
    () => runbook({}, { content: trust.contentList({ expires_at: NOW - 30 * 86_400 }) }),
  ],
  [
    'a disruptive order as soon as the content list is expired',
    'order_content_expired',
    () => disruptive({}, { content: trust.contentList({ expires_at: NIGHT }) }),
  ],
  // params
  ['params that the kind does not have', 'order_params_invalid', () => signed({ params: { shell: 'id' } })],
  ['a check that stands twice', 'order_params_invalid', () => signed({ params: { checks: ['disk', 'disk'] } })],
  ['an empty list of checks', 'order_params_invalid', () => signed({ params: { checks: [] } })],
  [
    'a diagnostic item that is not in the closed list',
    'order_params_invalid',
    () => signed({ kind: 'collect_diagnostics', params: { items: ['/etc/shadow'] } }),
  ],
  ['collect_diagnostics without items', 'order_params_invalid', () => signed({ kind: 'collect_diagnostics' })],
  [
    'restart_agent with params',
    'order_params_invalid',
    () => signed({ kind: 'restart_agent', class: 'routine', params: { unit: 'sshd' } }),
  ],
  [
    'a pause of a negative length',
    'order_params_invalid',
    () => signed({ kind: 'set_healing', class: 'routine', params: { action: 'pause', minutes: -5 } }),
  ],
  [
    'a pause of more than a week',
    'order_params_invalid',
    () => signed({ kind: 'set_healing', class: 'routine', params: { action: 'pause', minutes: 10_081 } }),
  ],
  [
    'targets on a kind that acts on the appliance',
    'order_targets_invalid',
    () => signed({ kind: 'restart_agent', class: 'routine', targets: [{ id: 'dc-1' }] }),
  ],
  ['the same target twice', 'order_targets_invalid', () => runbook({ targets: [pinned('dc-1'), { id: 'dc-1' }] })],
  [
    'a dry run of a kind that has none',
    'order_dry_run_unsupported',
    () => signed({ kind: 'restart_agent', class: 'routine', dry_run: true }),
  ],
  // authorisation
  [
    'an authorisation on an order that needs none',
    'order_authorisation_unexpected',
    () => signed({ authorisation: trust.embed('authorisation', trust.authorisation({ kind: 'run_check' })) }),
  ],
  [
    'a reboot without an authorisation',
    'order_authorisation_missing',
    () => signed({ kind: 'reboot', class: 'disruptive' }),
  ],
  [
    'lifting the pause of healing without an authorisation',
    'order_authorisation_missing',
    () => signed({ kind: 'set_healing', class: 'disruptive', params: { action: 'enable' } }),
  ],
  [
    'a window override without an authorisation',
    'order_authorisation_missing',
    () => runbook({ class: 'disruptive', window: { mode: 'override', reason: 'now' } }),
  ],
  [
    'a site policy embedded as authorisation',
    'order_authorisation_invalid',
    () => signed({ kind: 'reboot', class: 'disruptive', authorisation: trust.embed('sitePolicy', trust.policy()) }),
  ],
  [
    'an authorisation with an unknown field',
    'order_authorisation_invalid',
    () => {
      const line = trust.signUnchecked('authorisation', { ...trust.authorisation(), also: 'update_system' });
      return signed({ kind: 'reboot', class: 'disruptive', authorisation: JSON.parse(line) as never });
    },
  ],
  [
    'an authorisation by one person alone',
    'order_authorisation_signatures',
    () => disruptive({ signers: [keys['operator:alice']!] }),
  ],
  [
    'an authorisation by the order key',
    'order_authorisation_signatures',
    () => disruptive({ signers: [keys['order']!] }),
  ],
  [
    'an authorisation by content keys',
    'order_authorisation_signatures',
    () => disruptive({ signers: [keys['content:alice']!, keys['content:bob']!] }),
  ],
  [
    'an authorisation where one of two operators is revoked',
    'order_authorisation_signatures',
    () => disruptive({}, { revokedKeyids: new Set([keys['operator:bob']!.keyid]) }),
  ],
  [
    'an authorisation by operators of another site',
    'order_authorisation_signatures',
    () => disruptive({}, { root: limitedOperators }),
  ],
  [
    'an authorisation for another partner',
    'order_authorisation_mismatch',
    () => disruptive({ authorisation: { partner_id: 'southern-it' } }),
  ],
  [
    'an authorisation for another site',
    'order_authorisation_mismatch',
    () => disruptive({ authorisation: { site_id: 'side-street' } }),
  ],
  [
    'an authorisation for another appliance',
    'order_authorisation_mismatch',
    () => disruptive({ authorisation: { appliance_id: 'main-street-2' } }),
  ],
  [
    'an authorisation for another kind',
    'order_authorisation_mismatch',
    () => disruptive({ authorisation: { kind: 'update_system' } }),
  ],
  [
    'an authorisation for another runbook',
    'order_authorisation_mismatch',
    () => disruptive({ order: PATCH_ORDER, authorisation: { runbook: RUNBOOK } }),
  ],
  [
    'an authorisation for other params',
    'order_authorisation_mismatch',
    () => disruptive({ order: { ...PATCH_ORDER, params: { reboot: true } }, authorisation: { params: {} } }),
  ],
  [
    'an authorisation for another target',
    'order_authorisation_mismatch',
    () => disruptive({ order: PATCH_ORDER, authorisation: { targets: [pinned('dc-2')] } }),
  ],
  [
    'an authorisation of one target for an order on two',
    'order_authorisation_mismatch',
    () =>
      disruptive({
        order: { ...PATCH_ORDER, targets: [pinned('dc-1'), pinned('dc-2')] },
        authorisation: { targets: [pinned('dc-1')] },
      }),
  ],
  [
    'an authorisation of the same target under another identity',
    'order_authorisation_mismatch',
    () =>
      disruptive({
        order: PATCH_ORDER,
        authorisation: { targets: [{ id: 'dc-1', pinned_identity: 'S-1-5-21-9-9-9' }] },
      }),
  ],
  [
    'an authorisation for the window where the order overrides it',
    'order_authorisation_mismatch',
    () =>
      disruptive({
        order: { window: { mode: 'override', reason: 'now' } },
        authorisation: { window: { mode: 'require' } },
      }),
  ],
  [
    'an authorisation of a target without its identity',
    'order_authorisation_unpinned',
    () => disruptive({ order: { ...PATCH_ORDER, targets: [{ id: 'dc-1' }] } }),
  ],
  [
    'an authorisation for 7 days and a second',
    'order_authorisation_lifetime',
    () => disruptive({ authorisation: { issued_at: NOW, not_after: NOW + 7 * 86_400 + 1 } }),
  ],
  [
    'an authorisation that ends before it begins',
    'order_authorisation_lifetime',
    () => disruptive({ authorisation: { issued_at: NOW, not_after: NOW } }),
  ],
  [
    'an authorisation past its date',
    'order_authorisation_expired',
    () => disruptive({ authorisation: { not_after: NIGHT } }),
  ],
  [
    'an authorisation that another order used',
    'order_authorisation_used',
    () => disruptive({}, { usedAuthorisations: new Set([uuidOf(0xa1)]) }),
  ],
  // healing switch and window
  ['a runbook while healing is paused', 'order_healing_paused', () => runbook({}, { healingPaused: true })],
  ['a reboot while healing is paused', 'order_healing_paused', () => disruptive({}, { healingPaused: true })],
  [
    'an override that site policy does not allow',
    'order_override_not_allowed',
    () => disruptive({ order: { window: { mode: 'override', reason: 'now' } } }),
  ],
  [
    'an override before the first site policy',
    'order_override_not_allowed',
    () =>
      disruptive(
        { order: { window: { mode: 'override', reason: 'now' } } },
        { policy: null, localWindow: { timeZone: 'UTC', windows: trust.policy().windows } },
      ),
  ],
];

const WAITS: readonly (readonly [string, 'not_yet' | 'deferred', ErrorCode, number | null, () => Row])[] = [
  ['there is no signed time', 'not_yet', 'order_time_unknown', null, () => signed({}, { nowT: null })],
  [
    'its not_before is a second ahead',
    'not_yet',
    'order_not_yet_valid',
    null,
    () => signed({ not_before: NOW + 1, expires_at: NOW + 60 }),
  ],
  [
    'signed time went back and it is more than read',
    'not_yet',
    'order_read_only',
    null,
    () => signed({ kind: 'restart_agent', class: 'routine' }, { readOnly: true }),
  ],
  [
    'its authorisation is issued in the future',
    'not_yet',
    'order_authorisation_not_yet',
    null,
    () => disruptive({ authorisation: { issued_at: NIGHT + 301, not_after: NIGHT + 900 } }),
  ],
  [
    'the clock is unsound and it is disruptive',
    'deferred',
    'order_clock_unsound',
    null,
    () => disruptive({}, { clockSound: false }),
  ],
  [
    'the maintenance window is closed',
    'deferred',
    'order_window_closed',
    NOW + 10 * 3_600,
    () => {
      const times = { issued_at: NOW - 10, not_before: NOW - 10, expires_at: NOW + 600 };
      return disruptive({ order: times }, { nowT: NOW });
    },
  ],
  [
    'the site has no window',
    'deferred',
    'order_window_closed',
    null,
    () => disruptive({}, { policy: trust.policy({ windows: [] }) }),
  ],
  ['there is no site policy yet', 'deferred', 'order_window_closed', null, () => disruptive({}, { policy: null })],
];

const judge = ({ line, ctx }: Row) => acceptOrder(line, acceptanceContext(trust, ctx));

describe('an order is refused, with its own code, when it has', () => {
  it.each(REFUSALS)('%s: %s', (_, code, make) => {
    const verdict = judge(make());
    expect(verdict).toMatchObject({ verdict: 'refused', code });
    expect(verdict).toMatchObject({ outcome: code === 'order_expired' ? 'expired' : 'rejected' });
    expect(verdict.digest).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('an order waits, and is neither accepted nor refused, while', () => {
  it.each(WAITS)('%s: %s with %s', (_, kind, code, until, make) => {
    const verdict = judge(make());
    expect(verdict).toMatchObject({ verdict: kind, code });
    if (verdict.verdict === 'deferred') expect(verdict.until).toBe(until);
  });
});

describe('the list of acceptance codes', () => {
  it('has a test that provokes each code but the delay of a single approver, which has its own', () => {
    const provoked = new Set<string>([...REFUSALS.map((row) => row[1]), ...WAITS.map((row) => row[2])]);
    const listed = ACCEPTANCE_STEPS.flatMap(([, codes]) => codes as readonly string[]);
    expect(listed.filter((code) => !provoked.has(code))).toEqual(['order_authorisation_delay']);
    expect([...provoked].filter((code) => !listed.includes(code))).toEqual([]);
    expect(new Set(listed).size).toBe(listed.length);
  });
  it('is provoked by at least 60 kinds of bad order', () => {
    expect(new Set(REFUSALS.map((row) => row[0])).size).toBe(REFUSALS.length);
    expect(REFUSALS.length).toBeGreaterThanOrEqual(60);
  });
});

describe('the site of the order fixtures', () => {
  it('is the one that a key limited to it may sign for', () => {
    expect(judge({ ...signed({}), ctx: { root: limited([SITE]) } })).toMatchObject({ verdict: 'accepted' });
  });
});
