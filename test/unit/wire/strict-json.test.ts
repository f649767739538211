import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../../agent/errors/codes.ts';
import { encodeStrict, MAX_DEPTH, parseStrict } from '../../../agent/wire/strict-json.ts';
import { expectCode } from '../../support/expect-code.ts';

const parse = (text: string | Uint8Array, maxBytes = 1_000_000): unknown =>
  parseStrict(typeof text === 'string' ? Buffer.from(text) : text, { maxBytes });

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

/** Values that strict JSON can hold. Keys: any text that is not made of digits and not a name of JavaScript's own. */
const strictValue = fc.letrec<{ value: unknown; key: string }>((tie) => ({
  key: fc
    .string({ unit: 'grapheme' })
    .filter((key) => !/^[0-9]+$/.test(key) && !['__proto__', 'constructor', 'prototype'].includes(key)),
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger().map((n) => n + 0),
    fc.string({ unit: 'grapheme' }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(tie('key'), tie('value')), { maxLength: 4 }).map((fields) => Object.fromEntries(fields)),
  ),
})).value;

describe('strict JSON', () => {
  it('gives back every value that it encoded, and the same bytes again', () => {
    fc.assert(
      fc.property(strictValue, (value) => {
        const bytes = encodeStrict(value);
        const back = parse(bytes);
        expect(back).toEqual(value);
        expect(encodeStrict(back).equals(bytes)).toBe(true);
      }),
    );
  });

  it('accepts a text only if it is what JSON.stringify writes for its value', () => {
    const spaced = fc.tuple(strictValue, fc.integer({ min: 1, max: 3 }));
    fc.assert(
      fc.property(spaced, ([value, indent]) => {
        const text = JSON.stringify(value, null, indent);
        if (text === JSON.stringify(value)) expect(parse(text)).toEqual(value);
        else expectCode(() => parse(text), 'json_not_strict');
      }),
    );
  });

  it('never lets bytes pass that differ from the encoding of what it read, however they are changed', () => {
    const edit = fc.tuple(strictValue, fc.nat(), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(edit, ([value, at, byte]) => {
        const bytes = Buffer.from(encodeStrict(value));
        bytes[at % bytes.length] = byte;
        let read: unknown;
        try {
          read = parse(bytes);
        } catch {
          return;
        }
        expect(encodeStrict(read).equals(bytes)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it.each<[string, string | Uint8Array]>([
    ['a space', '{"a": 1}'],
    ['a line feed at the end', '{"a":1}\n'],
    ['a byte order mark', '\ufeff{"a":1}'],
    ['a field that stands twice', '{"a":1,"a":1}'],
    ['a fraction', '{"a":1.5}'],
    ['a fraction that is none', '{"a":1.0}'],
    ['an exponent', '{"a":1e2}'],
    ['minus zero', '{"a":-0}'],
    ['the first integer that is not safe', '{"a":9007199254740992}'],
    ['an integer that doubles cannot hold', '{"a":9007199254740993}'],
    ['a large power of ten, which JavaScript writes the same way', '{"a":1e+21}'],
    ['a needless escape', '{"a":"\\u0041"}'],
    ['an escaped slash', '{"a":"\\/"}'],
    ['an escape in capitals', '{"a":"\\u001F"}'],
    ['half a surrogate pair', '{"a":"\\ud800"}'],
    ['half a surrogate pair in a name', '{"\\udc00":1}'],
    ['a name made of digits', '{"1":0}'],
    ['names made of digits in their order', '{"1":0,"2":0}'],
    ['a name made of digits beyond array indices', '{"99999999999":0}'],
    ['the name __proto__', '{"__proto__":{"admin":true}}'],
    ['the name constructor', '{"constructor":1}'],
    ['the name prototype deep inside', '{"a":[{"prototype":1}]}'],
    ['two values', '1 2'],
    ['nothing', ''],
    ['a comment', '{"a":1/**/}'],
    ['NaN', '{"a":NaN}'],
    ['a trailing comma', '[1,]'],
    ['a raw control character', '"\u0001"'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['an overlong UTF-8 sequence', Buffer.from([0x22, 0xc0, 0x80, 0x22])],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['UTF-16', Buffer.from('{"a":1}', 'utf16le')],
  ])('refuses %s', (_, text) => {
    expectCode(() => parse(text), 'json_not_strict');
  });

  it('accepts text in any script, escapes where JSON needs them, and the largest integers', () => {
    const text = '{"ü":"😀\\n\\"\\\\\\u001f","n":[9007199254740991,-9007199254740991,0],"e":"","o":{}}';
    expect(parse(text)).toEqual({ ü: '😀\n"\\\u001f', n: [2 ** 53 - 1, -(2 ** 53 - 1), 0], e: '', o: {} });
  });

  it('nests 16 deep and not 17', () => {
    expect(parse(nested(MAX_DEPTH))).toBeInstanceOf(Array);
    expectCode(() => parse(nested(MAX_DEPTH + 1)), 'json_too_deep');
    expectCode(() => encodeStrict(JSON.parse(nested(MAX_DEPTH + 1))), 'json_too_deep');
  });

  it('answers with a code, not with a stack overflow, where a document nests a million deep', () => {
    expectCode(() => parse(nested(1_000_000), 4_000_000), 'json_too_deep');
  });

  it('refuses one byte more than allowed without reading it', () => {
    expect(parse('"aaaa"', 6)).toBe('aaaa');
    expectCode(() => parse('"aaaaa"', 6), 'json_too_large');
  });

  it.each<[string, unknown, ErrorCode]>([
    ['a fraction', { a: 0.1 }, 'json_not_strict'],
    ['NaN', [Number.NaN], 'json_not_strict'],
    ['a big integer', 1n, 'json_not_strict'],
    ['undefined in an array', [undefined], 'json_not_strict'],
    ['nothing', undefined, 'json_not_strict'],
    ['a function', { f: () => 1 }, 'json_not_strict'],
    ['a date, which would turn itself into text', new Date(0), 'json_not_strict'],
    ['a buffer', { b: Buffer.from('x') }, 'json_not_strict'],
    ['a map', new Map(), 'json_not_strict'],
    ['half a surrogate pair', '\ud800', 'json_not_strict'],
    ['a name made of digits', { 7: 1 }, 'json_not_strict'],
  ])('refuses to encode %s', (_, value, code) => {
    expectCode(() => encodeStrict(value), code);
  });

  it('encodes text that only looks like half of a surrogate pair', () => {
    expect(encodeStrict('\\ud800').toString()).toBe('"\\\\ud800"');
    expect(parse('"\\\\ud800"')).toBe('\\ud800');
  });

  it('leaves out fields that are undefined', () => {
    expect(encodeStrict({ a: undefined, b: 1 }).toString()).toBe('{"b":1}');
  });

  it('names the place and the path of what it refuses, without the control characters of a hostile name', () => {
    const error = expectCode(
      () => parseStrict(Buffer.from('{"a":[1,{"\\u001b[31m":1.5}]}'), { maxBytes: 100, place: 'order 7' }),
      'json_not_strict',
    );
    expect(error.place).toBe('order 7');
    expect(error.details).toEqual({ path: 'a[1].??31m' });
  });
});
