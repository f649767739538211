import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { checkinRequestSchema } from '../../../agent/wire/schemas/checkin.ts';
import { orderSchema } from '../../../agent/wire/schemas/order.ts';
import { namedCounts, p256Spki, plainObject } from '../../../agent/wire/schemas/primitives.ts';

describe('field types that two readers must take alike', () => {
  it.each([
    ['plain objects', plainObject],
    ['counts', namedCounts],
    ['params of an order', orderSchema.entries.params],
  ])('an empty array is no empty object: %s', (_what, schema) => {
    expect(v.is(schema, {})).toBe(true);
    expect(v.is(schema, [])).toBe(false);
  });

  it('an X25519 key has 32 bytes: 31 in as many characters are refused', () => {
    const { hpke_public_key: key } = checkinRequestSchema.entries;
    expect(v.is(key, Buffer.alloc(32, 1).toString('base64'))).toBe(true);
    expect(v.is(key, Buffer.alloc(31, 1).toString('base64'))).toBe(false);
  });

  it('a P-256 key has one spelling: stray bits before the padding are refused', () => {
    const der = Buffer.concat([
      Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex'),
      Buffer.alloc(64, 1),
    ]).toString('base64');
    expect(v.is(p256Spki, der)).toBe(true);
    expect(v.is(p256Spki, der.replace(/.==$/, 'R=='))).toBe(false);
  });

  it.each([
    ['a fraction', { a: 1.5 }],
    ['a text of more than 8,192 characters', { a: 'x'.repeat(8_193) }],
    ['a field name with a space', { 'a b': 1 }],
    ['a field name that is a number', { 1: 1 }],
    ['undefined', { a: undefined }],
  ])('plain JSON is refused with %s', (_what, value) => {
    expect(v.is(plainObject, value)).toBe(false);
  });
});
