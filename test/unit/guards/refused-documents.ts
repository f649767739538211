// Orders that are refused for what they are: their size, envelope, signatures, addressee, fields and number.
import { encodeDocument } from '../../../agent/wire/document.ts';
import { DOCUMENTS } from '../../../agent/wire/schemas/payload-types.ts';
import { makeTrust, signerFrom } from '../../support/trust-fixtures.ts';
import { trust, keys, signed, unchecked, outer, twoServices, limited, type Refusal } from './order-rows.ts';

export const REFUSED_DOCUMENTS: readonly Refusal[] = [
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
];
