import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeDocument,
  maxLineBytes,
  parseDocument,
  payloadDigest,
  signDocument,
  type DocumentOf,
} from '../../../agent/wire/document.ts';
import { encodeEnvelope, MAX_SIGNATURES, pae, parseEnvelope } from '../../../agent/wire/dsse.ts';
import { sha256Hex } from '../../../agent/wire/digest.ts';
import { verifyWithNode } from '../../../agent/wire/node-signature.ts';
import { DOCUMENTS, type DocumentName } from '../../../agent/wire/schemas/payload-types.ts';
import { expectCode } from '../../support/expect-code.ts';
import { makeTrust, signerFrom } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const order = trust.order({ params: { checks: ['disk'] } });

describe('a document', () => {
  it('is encoded with its fields in the order of the schema, whatever order the caller has', () => {
    const turned = Object.fromEntries(Object.entries(order).reverse()) as DocumentOf<'order'>;
    expect(Object.keys(turned)[0]).not.toBe('schema');
    expect(encodeDocument('order', turned).equals(encodeDocument('order', order))).toBe(true);
    expect(encodeDocument('order', order).toString()).toMatch(/^{"schema":"compliance-agent\/order\/v1","order_id":/);
  });

  it('comes back from its bytes', () => {
    const params = fc.dictionary(
      fc
        .stringMatching(/^[a-z_][a-z_0-9]{0,10}$/)
        .filter((key) => !['__proto__', 'constructor', 'prototype'].includes(key)),
      fc.oneof(
        fc.maxSafeInteger().map((n) => n + 0),
        fc.string({ unit: 'grapheme', maxLength: 30 }),
        fc.boolean(),
        fc.constant(null),
      ),
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(params, fc.integer({ min: 1, max: 2 ** 40 }), (p, seq) => {
        const value = trust.order({ params: p, seq });
        expect(parseDocument('order', encodeDocument('order', value))).toEqual(value);
      }),
    );
  });

  it('is signed as its own type and named by the digest of its payload', () => {
    const signer = signerFrom('somebody');
    const envelope = signDocument('order', order, [signer]);
    expect(envelope.payloadType).toBe('application/vnd.compliance-agent.order+json');
    expect(payloadDigest(envelope)).toBe(sha256Hex(encodeDocument('order', order)));
    expect(payloadDigest(signDocument('order', order, [signerFrom('another')]))).toBe(payloadDigest(envelope));
    expect(verifyWithNode(signer.spki, pae(envelope.payloadType, envelope.payload), envelope.signatures[0]!.sig)).toBe(
      true,
    );
  });

  it.each<[string, object, string]>([
    ['an unknown field', { ...order, extra: 1 }, 'extra'],
    ['an unknown field deep inside', { ...order, window: { mode: 'require', when: 1 } }, 'window.when'],
    ['a missing field', { ...order, seq: undefined }, 'seq'],
    ['a wrong type', { ...order, dry_run: 'no' }, 'dry_run'],
    ['an element of a list', { ...order, targets: [{ id: 'ok' }, { id: 'NOT OK' }] }, 'targets.1.id'],
    ['nothing in particular', Object('text'), ''],
  ])('that does not fit its schema is refused with the path of %s', (_, value, path) => {
    const payload = Buffer.from(JSON.stringify(value));
    const error = expectCode(() => parseDocument('order', payload, 'answer 7'), 'schema_invalid');
    expect(error.details).toEqual({ document: 'order', path });
    expect(error.place).toBe('answer 7');
    expectCode(() => encodeDocument('order', value as never), 'schema_invalid');
  });

  it('that does not fit its schema is refused without repeating what it holds', () => {
    const secret = 'S3CRET-value-of-a-stranger';
    const values = [
      { ...order, order_id: secret },
      { ...order, params: secret },
      { ...order, kind: secret },
      { ...order, window: { mode: secret } },
      { ...order, authorisation: { payload: secret } },
    ];
    for (const value of values) {
      const error = expectCode(() => parseDocument('order', Buffer.from(JSON.stringify(value))), 'schema_invalid');
      expect(error.describe() + JSON.stringify(error.details)).not.toContain('S3CRET');
    }
  });

  it('that does not fit its schema is refused without the control characters of a hostile name', () => {
    const value = { ...order, ['\u001b[2J\n' + 'x'.repeat(200)]: 1 };
    const error = expectCode(() => parseDocument('order', Buffer.from(JSON.stringify(value))), 'schema_invalid');
    expect(error.details['path']).toBe(`??2J?${'x'.repeat(59)}`);
    expect(error.message).toMatch(/^[ -~]+$/);
  });

  it('is neither read nor written beyond its size limit', () => {
    const big = trust.order({
      params: Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`p${i}`, 'x'.repeat(8_000)])),
    });
    expectCode(() => encodeDocument('order', big), 'json_too_large');
    expectCode(() => parseDocument('order', Buffer.from(JSON.stringify(big))), 'json_too_large');
  });

  it('of the largest size with sixteen signatures still fits into its line limit, save entries and orders', () => {
    for (const name of Object.keys(DOCUMENTS) as DocumentName[]) {
      const { payloadType, maxBytes } = DOCUMENTS[name];
      const signatures = Array.from({ length: MAX_SIGNATURES }, (_, i) => ({
        keyid: i.toString(16).padStart(64, '0'),
        sig: Buffer.alloc(72),
      }));
      const line = encodeEnvelope({ payload: Buffer.alloc(maxBytes), payloadType, signatures });
      if (name === 'entry') expect(maxLineBytes(name)).toBe(65_535);
      else if (name === 'order') expect(maxLineBytes(name)).toBe(65_536);
      else expect(parseEnvelope(line, { maxBytes: maxLineBytes(name) }).payload).toHaveLength(maxBytes);
    }
  });

  it('of the largest order with four signatures fits into 64 KiB', () => {
    const signatures = Array.from({ length: 4 }, (_, i) => ({ keyid: String(i).repeat(64), sig: Buffer.alloc(64) }));
    const envelope = { payload: Buffer.alloc(48_000), payloadType: DOCUMENTS.order.payloadType, signatures };
    expect(encodeEnvelope(envelope).length).toBeLessThanOrEqual(maxLineBytes('order'));
  });
});
