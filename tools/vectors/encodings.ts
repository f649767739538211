// Vectors of strict JSON, JCS and envelopes as such.
import type { ErrorCode } from '../../agent/errors/codes.ts';
import { hexDigest, vectorKey } from './signing.ts';

interface BytesCase {
  readonly name: string;
  /** The bytes in hex: some are not text. */
  readonly hex: string;
  readonly expect: 'ok' | ErrorCode;
}

const utf8 = (name: string, text: string, expect: BytesCase['expect']): BytesCase => ({
  name,
  hex: Buffer.from(text).toString('hex'),
  expect,
});
const raw = (name: string, hex: string): BytesCase => ({ name, hex, expect: 'json_not_strict' });
const nest = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

/** At most this many bytes are accepted in strict-json.json. */
const MAX_BYTES = 200;

export function strictJsonVectors(): object {
  const cases: BytesCase[] = [
    utf8('an object', '{"a":1,"b":[true,false,null],"c":"x"}', 'ok'),
    utf8('an empty object', '{}', 'ok'),
    utf8('an empty array', '[]', 'ok'),
    utf8('text alone', '"x"', 'ok'),
    utf8('a number alone', '-7', 'ok'),
    utf8('fields in any order', '{"b":1,"a":2}', 'ok'),
    utf8('the largest integers', '[9007199254740991,-9007199254740991]', 'ok'),
    utf8('text in other scripts, unescaped', '{"ключ":"値😀"}', 'ok'),
    utf8('the short escapes', '"\\b\\t\\n\\f\\r\\"\\\\"', 'ok'),
    utf8('the long escape where there is no short one', '"\\u0001\\u001f"', 'ok'),
    utf8('DEL and line separators, unescaped', '"\u007f\u2028\u2029"', 'ok'),
    utf8('an empty name', '{"":1}', 'ok'),
    utf8('a name that begins with a digit', '{"1a":1}', 'ok'),
    utf8('a name that is a negative number', '{"-1":1}', 'ok'),
    utf8('sixteen levels', nest(16), 'ok'),
    utf8('seventeen levels', nest(17), 'json_too_deep'),
    utf8('201 bytes', `"${'x'.repeat(199)}"`, 'json_too_large'),
    utf8('200 bytes', `"${'x'.repeat(198)}"`, 'ok'),
    ...(
      [
        ['nothing', ''],
        ['a space before', ' {}'],
        ['a line feed after', '{}\n'],
        ['a space inside', '{"a": 1}'],
        ['a field twice', '{"a":1,"a":2}'],
        ['a field twice with the same value', '{"a":1,"a":1}'],
        ['a fraction', '1.5'],
        ['a whole number with a point', '1.0'],
        ['an exponent', '1e3'],
        ['a large number that JavaScript writes so', '1e+21'],
        ['minus zero', '-0'],
        ['a leading zero', '01'],
        ['a plus sign', '+1'],
        ['2^53', '9007199254740992'],
        ['-2^53', '-9007199254740992'],
        ['NaN', 'NaN'],
        ['infinity', 'Infinity'],
        ['an escaped slash', '"\\/"'],
        ['a long escape where there is a short one', '"\\u000a"'],
        ['a long escape of a letter', '"\\u0041"'],
        ['a long escape in capitals', '"\\u001F"'],
        ['a surrogate pair as escapes', '"\\ud83d\\ude00"'],
        ['half a surrogate pair', '"\\ud83d"'],
        ['half a surrogate pair in a name', '{"\\udc00":1}'],
        ['a name made of digits', '{"0":1}'],
        ['a name made of many digits', '{"123456789012":1}'],
        ['a name made of digits with a leading zero', '{"007":1}'],
        ['__proto__', '{"__proto__":1}'],
        ['constructor', '{"constructor":1}'],
        ['prototype', '{"prototype":1}'],
        ['single quotes', "{'a':1}"],
        ['a trailing comma', '{"a":1,}'],
        ['a comment', '{}//'],
        ['two documents', '{}{}'],
        ['a raw tab in text', '"\t"'],
        ['a capital literal', 'True'],
      ] as const
    ).map(([name, text]) => utf8(name, text, 'json_not_strict')),
    raw('a byte order mark', 'efbbbf7b7d'),
    raw('a lone continuation byte', '228022'),
    raw('an overlong form', '22c08022'),
    raw('a surrogate in UTF-8', '22eda08022'),
    raw('beyond U+10FFFF', '22f490808022'),
    raw('a cut sequence', '22e282'),
    raw('UTF-16', '7b007d00'),
  ];
  return { max_bytes: MAX_BYTES, cases };
}

export function jcsVectors(): object {
  const text = (name: string, value: unknown, canonical: string) => ({
    name,
    value,
    canonical,
    sha256: hexDigest(canonical),
  });
  return {
    cases: [
      text('names sorted', { b: 1, a: 2 }, '{"a":2,"b":1}'),
      text('nested names sorted', { z: [{ y: 1, x: 2 }], a: {} }, '{"a":{},"z":[{"x":2,"y":1}]}'),
      text('arrays keep their order', [3, 1, 2], '[3,1,2]'),
      text(
        'by UTF-16 code units, not code points',
        { '\ufb33': 1, '\ud83d\ude00': 2 },
        '{"\ud83d\ude00":2,"\ufb33":1}',
      ),
      text('capitals before small letters, digits first', { a: 1, B: 2, '1': 3 }, '{"1":3,"B":2,"a":1}'),
      text('escapes', '\u0000\b\t\n\f\r"\\\u001f/\u007f€', '"\\u0000\\b\\t\\n\\f\\r\\"\\\\\\u001f/\u007f€"'),
      text(
        'literals and integers',
        [true, false, null, 0, -1, 9007199254740991],
        '[true,false,null,0,-1,9007199254740991]',
      ),
      text('the empty name', { '': 0 }, '{"":0}'),
    ],
    refused: [
      { name: 'a fraction', value: [0.5] },
      { name: 'an integer that is not safe', value: [9007199254740992] },
      { name: 'a fraction deep inside', value: { a: { b: [1, { c: 1.25 }] } } },
      { name: 'a large power of ten', value: [1e21] },
    ],
  };
}

/** Envelopes as such: parsed, not verified. */
export function envelopeVectors(): object {
  const keyid = vectorKey('order').keyid;
  const other = vectorKey('device').keyid;
  const type = 'application/vnd.compliance-agent.order+json';
  const sig = `{"keyid":"${keyid}","sig":"AQID"}`;
  const line = (payload: string, payloadType: string, signatures: string): string =>
    `{"payload":${payload},"payloadType":${payloadType},"signatures":${signatures}}`;
  const good = line('"e30="', `"${type}"`, `[${sig}]`);
  const bad = (name: string, text: string, expect: ErrorCode = 'envelope_invalid') => ({ name, line: text, expect });
  return {
    cases: [
      { name: 'one signature', line: good, expect: 'ok', payload: '7b7d', payload_type: type, keyids: [keyid] },
      {
        name: 'two signatures',
        line: line('"e30="', `"${type}"`, `[${sig},${sig.replace(keyid, other)}]`),
        expect: 'ok',
        payload: '7b7d',
        payload_type: type,
        keyids: [keyid, other],
      },
      {
        name: 'an empty payload',
        line: line('""', `"${type}"`, `[${sig}]`),
        expect: 'ok',
        payload: '',
        payload_type: type,
        keyids: [keyid],
      },
      bad('another order of fields', `{"payloadType":"${type}","payload":"e30=","signatures":[${sig}]}`),
      bad('a field too many', good.replace(/}$/, ',"x":1}')),
      bad('no payload', good.replace('"payload":"e30=",', '')),
      bad('no signatures', line('"e30="', `"${type}"`, '[]')),
      bad('seventeen signatures', line('"e30="', `"${type}"`, `[${manySignatures(17)}]`)),
      bad('a keyid twice', line('"e30="', `"${type}"`, `[${sig},${sig}]`)),
      bad('a keyid in capitals', good.replace(keyid, keyid.toUpperCase())),
      bad('an empty signature', good.replace('AQID', '')),
      bad('a payload that is a number', line('7', `"${type}"`, `[${sig}]`)),
      bad('a payloadType that is not of this family', line('"e30="', '"application/json"', `[${sig}]`)),
      bad('a payloadType with a space', line('"e30="', `"${type} "`, `[${sig}]`)),
      bad('a signature with a field too many', good.replace('"sig":"AQID"', '"sig":"AQID","alg":"none"')),
      bad('a payload without padding', good.replace('e30=', 'e30'), 'base64_invalid'),
      bad('a payload with stray bits', good.replace('e30=', 'e31='), 'base64_invalid'),
      bad('a payload with a line feed', good.replace('e30=', 'e30=\\n'), 'base64_invalid'),
      bad('a signature in the URL alphabet', good.replace('AQID', '-_-_'), 'base64_invalid'),
      bad('a field twice', good.replace('{', '{"payload":"e30=",'), 'json_not_strict'),
      bad('a space', good.replace(',', ', '), 'json_not_strict'),
      bad('a line feed at its end', `${good}\n`, 'json_not_strict'),
      bad('a carriage return at its end', `${good}\r`, 'json_not_strict'),
      bad('a payloadType with an escape', good.replace('vnd', '\\u0076nd'), 'json_not_strict'),
    ],
  };
}

function manySignatures(count: number): string {
  return Array.from({ length: count }, (_, i) => `{"keyid":"${hexDigest(String(i))}","sig":"AQID"}`).join(',');
}
