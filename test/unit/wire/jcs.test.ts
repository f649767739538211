import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../../../agent/wire/digest.ts';
import { jcs, jcsDigest } from '../../../agent/wire/jcs.ts';
import { expectCode } from '../../support/expect-code.ts';

describe('JCS', () => {
  // RFC 8785 section 3.2.3: the order of names by UTF-16 code units, with an emoji before a letter of the BMP's end.
  it('sorts names as the example of RFC 8785 section 3.2.3 does', () => {
    const value = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    expect(Object.values(JSON.parse(jcs(value)) as object)).toHaveLength(7);
    const order = [...jcs(value).matchAll(/:"([^"]+)"/g)].map((m) => m[1]);
    expect(order).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ]);
  });

  // RFC 8785 section 3.2.2 (text and literals of the sample; its numbers are fractions, which are refused here).
  it('writes the text and the literals of the sample in RFC 8785 section 3.2.2', () => {
    const sample = {
      string: '\u20ac$\u000f\u000aA\u0027\u0042\u0022\u005c\\"\u002f',
      literals: [null, true, false],
    };
    expect(jcs(sample)).toBe('{"literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}');
    expectCode(() => jcs({ numbers: [333333333.3333333] }), 'json_not_strict');
  });

  it.each<[string, unknown, string]>([
    ['an empty object', {}, '{}'],
    ['an empty array', [], '[]'],
    [
      'nested objects',
      { b: { d: 1, c: [2, { f: 3, e: 4 }] }, a: null },
      '{"a":null,"b":{"c":[2,{"e":4,"f":3}],"d":1}}',
    ],
    ['the short escapes', '\b\t\n\f\r"\\', '"\\b\\t\\n\\f\\r\\"\\\\"'],
    ['other control characters', '\u0000\u001f\u007f', '"\\u0000\\u001f\u007f"'],
    ['minus zero', -0, '0'],
    ['the largest integers', [2 ** 53 - 1, -(2 ** 53 - 1)], '[9007199254740991,-9007199254740991]'],
    ['fields that are undefined, which it leaves out', { a: undefined, b: 1 }, '{"b":1}'],
  ])('writes %s', (_, value, text) => {
    expect(jcs(value)).toBe(text);
    expect(jcsDigest(value)).toBe(sha256Hex(text));
  });

  it('does not depend on the order in which fields were set, and is still the same JSON', () => {
    const record = fc.dictionary(fc.string(), fc.oneof(fc.integer(), fc.string({ unit: 'grapheme' }), fc.boolean()));
    fc.assert(
      fc.property(record, (fields) => {
        const turned = Object.fromEntries(Object.entries(fields).reverse());
        expect(jcs(turned)).toBe(jcs({ ...fields }));
        expect(JSON.parse(jcs({ ...fields }))).toEqual({ ...fields });
      }),
    );
  });

  it.each<[string, unknown]>([
    ['a fraction', 0.5],
    ['an unsafe integer', 2 ** 53],
    ['infinity', Infinity],
    ['half a surrogate pair', '\udfff'],
    ['half a surrogate pair in a name', { '\ud800': 1 }],
    ['undefined in an array', [undefined]],
    ['a date', new Date(0)],
    ['a symbol', Symbol('x')],
  ])('refuses %s', (_, value) => {
    expectCode(() => jcs(value), 'json_not_strict');
  });

  it('refuses what nests too deep, cycles included', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expectCode(() => jcs(cycle), 'json_too_deep');
  });
});
