import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAgentError } from '../../../agent/errors/agent-error.ts';
import type { ErrorCode } from '../../../agent/errors/codes.ts';
import {
  encodeEnvelope,
  envelopeFromEmbedded,
  MAX_SIGNATURES,
  pae,
  parseEnvelope,
  signEnvelope,
  toEmbedded,
  type Envelope,
} from '../../../agent/wire/dsse.ts';
import { verifyWithNode } from '../../../agent/wire/node-signature.ts';
import { expectCode } from '../../support/expect-code.ts';
import { signerFrom } from '../../support/trust-fixtures.ts';

const TYPE = 'application/vnd.compliance-agent.order+json';
const K1 = '1'.repeat(64);
const K2 = '2'.repeat(64);
const parse = (line: string | Uint8Array, maxBytes = 100_000): Envelope =>
  parseEnvelope(line, { maxBytes, place: 'here' });

const envelopes = fc.record<Envelope>({
  payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  payloadType: fc.constantFrom(TYPE, 'application/vnd.in-toto+json', 'application/vnd.x'),
  signatures: fc.uniqueArray(
    fc.record({
      keyid: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex')),
      sig: fc.uint8Array({ minLength: 1, maxLength: 150 }).map((bytes) => Buffer.from(bytes)),
    }),
    { minLength: 1, maxLength: MAX_SIGNATURES, selector: (s) => s.keyid },
  ),
});

describe('the pre-authentication encoding of DSSE', () => {
  // https://github.com/secure-systems-lab/dsse/blob/master/protocol.md, "Test Vectors".
  it('is that of the specification', () => {
    expect(pae('http://example.com/HelloWorld', Buffer.from('hello world')).toString()).toBe(
      'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
    );
  });

  it('counts bytes, not characters', () => {
    expect(pae('ü', Buffer.from('日本')).toString()).toBe('DSSEv1 2 ü 6 日本');
    expect(pae('', Buffer.alloc(0)).toString()).toBe('DSSEv1 0  0 ');
  });

  it('is never the same for two different pairs of type and payload', () => {
    const pair = fc.tuple(fc.string(), fc.uint8Array({ maxLength: 20 }));
    fc.assert(
      fc.property(pair, pair, ([t1, p1], [t2, p2]) => {
        const same = t1 === t2 && Buffer.compare(p1, p2) === 0;
        expect(pae(t1, p1).equals(pae(t2, p2))).toBe(same);
      }),
    );
  });
});

describe('an envelope', () => {
  it('comes back from its line, and the line from it', () => {
    fc.assert(
      fc.property(envelopes, (envelope) => {
        const line = encodeEnvelope(envelope);
        expect(parse(line)).toEqual(envelope);
        expect(parse(Buffer.from(line))).toEqual(envelope);
        expect(encodeEnvelope(parse(line))).toBe(line);
        expect(envelopeFromEmbedded(toEmbedded(envelope))).toEqual(envelope);
      }),
    );
  });

  it('is signed over payloadType and payload by each signer', () => {
    const signers = [signerFrom('one'), signerFrom('two')];
    const payload = Buffer.from('{"a":1}');
    const envelope = signEnvelope(TYPE, payload, signers);
    envelope.signatures.forEach(({ keyid, sig }, i) => {
      expect(keyid).toBe(signers[i]!.keyid);
      expect(verifyWithNode(signers[i]!.spki, pae(TYPE, payload), sig)).toBe(true);
      expect(verifyWithNode(signers[i]!.spki, payload, sig)).toBe(false);
      expect(verifyWithNode(signers[i]!.spki, pae('application/vnd.x', payload), sig)).toBe(false);
    });
  });

  const sig = `{"keyid":"${K1}","sig":"AAAA"}`;
  const line = (fields: string): string => `{${fields}}`;
  const good = `"payload":"e30=","payloadType":"${TYPE}","signatures":[${sig}]`;

  it('of the form that the refused ones below vary is accepted', () => {
    expect(parse(line(good)).payload.toString()).toBe('{}');
  });

  it.each<[string, string, ErrorCode]>([
    ['an unsigned field beside the payload', line(`${good},"orders":[]`), 'envelope_invalid'],
    ['a missing payload', line(`"payloadType":"${TYPE}","signatures":[${sig}]`), 'envelope_invalid'],
    [
      'another order of fields',
      line(`"payloadType":"${TYPE}","payload":"e30=","signatures":[${sig}]`),
      'envelope_invalid',
    ],
    [
      'another order of fields in a signature',
      line(good.replace(sig, `{"sig":"AAAA","keyid":"${K1}"}`)),
      'envelope_invalid',
    ],
    [
      'an unknown field in a signature',
      line(good.replace(sig, `{"keyid":"${K1}","sig":"AAAA","cert":"x"}`)),
      'envelope_invalid',
    ],
    ['a signature without keyid', line(good.replace(sig, '{"sig":"AAAA"}')), 'envelope_invalid'],
    ['no signature', line(good.replace(sig, '')), 'envelope_invalid'],
    ['an empty signature', line(good.replace('AAAA', '')), 'envelope_invalid'],
    ['a signature of 300 characters', line(good.replace('AAAA', 'A'.repeat(300))), 'envelope_invalid'],
    ['a keyid in capitals', line(good.replace(K1, 'A'.repeat(64))), 'envelope_invalid'],
    ['a keyid that is too short', line(good.replace(K1, '1'.repeat(63))), 'envelope_invalid'],
    ['a keyid that stands twice', line(good.replace(sig, `${sig},${sig}`)), 'envelope_invalid'],
    [
      'seventeen signatures',
      line(
        good.replace(
          sig,
          Array.from({ length: 17 }, (_, i) => sig.replace(K1, i.toString(16).padStart(64, '0'))).join(','),
        ),
      ),
      'envelope_invalid',
    ],
    ['a payload that is no text', line(good.replace('"e30="', '7')), 'envelope_invalid'],
    ['a payloadType that is no media type of ours', line(good.replace(TYPE, 'text/html')), 'envelope_invalid'],
    ['a payloadType with capitals', line(good.replace('vnd', 'VND')), 'envelope_invalid'],
    [
      'a payloadType of 200 characters',
      line(good.replace(TYPE, `application/vnd.${'x'.repeat(184)}`)),
      'envelope_invalid',
    ],
    ['signatures that are no list', line(good.replace(`[${sig}]`, sig)), 'envelope_invalid'],
    ['a signature that is no object', line(good.replace(sig, '"x"')), 'envelope_invalid'],
    ['an array instead of an object', `[${sig}]`, 'envelope_invalid'],
    ['null', 'null', 'envelope_invalid'],
    ['half a surrogate pair', '"\ud800"', 'envelope_invalid'],
    ['a payload without padding', line(good.replace('e30=', 'e30')), 'base64_invalid'],
    ['a payload in the URL alphabet', line(good.replace('e30=', '_-__')), 'base64_invalid'],
    ['a signature with stray bits', line(good.replace('AAAA', 'AB==')), 'base64_invalid'],
    ['a payload that stands twice', line(`"payload":"e30=",${good}`), 'json_not_strict'],
    ['a space', line(good.replace(':', ': ')), 'json_not_strict'],
    ['a line feed at its end', `${line(good)}\n`, 'json_not_strict'],
    ['half of its bytes', line(good).slice(0, 60), 'json_not_strict'],
    ['HTML', '<html></html>', 'json_not_strict'],
  ])('is refused with %s', (_, text, code) => {
    expect(expectCode(() => parse(text), code).place).toBe('here');
  });

  it('is read from text and from bytes alike, however a byte of it is changed', () => {
    const text = encodeEnvelope(signEnvelope(TYPE, Buffer.from('{"a":1}'), [signerFrom('one')]));
    const read = (input: string | Uint8Array): unknown => {
      try {
        return parse(input);
      } catch (error) {
        if (isAgentError(error)) return error.code;
        throw error;
      }
    };
    const change = fc.tuple(fc.nat(text.length), fc.integer({ min: 0x20, max: 0x7e }), fc.nat(2));
    fc.assert(
      fc.property(change, ([at, byte, cut]) => {
        const changed = text.slice(0, at) + String.fromCharCode(byte) + text.slice(at + cut);
        expect(read(changed)).toEqual(read(Buffer.from(changed)));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is refused unread beyond its size limit', () => {
    const text = line(good);
    expect(parse(text, text.length).signatures).toHaveLength(1);
    expectCode(() => parse(text, text.length - 1), 'json_too_large');
  });

  it('that another document embeds may have been rebuilt with its fields in any order, but not with others', () => {
    const embedded = { signatures: [{ sig: 'AAAA', keyid: K2 }], payloadType: TYPE, payload: 'e30=' };
    expect(envelopeFromEmbedded(embedded).signatures[0]!.keyid).toBe(K2);
    expectCode(() => envelopeFromEmbedded({ ...embedded, more: 1 } as never), 'envelope_invalid');
    expectCode(() => envelopeFromEmbedded({ ...embedded, payload: 'e30' }), 'base64_invalid');
  });
});
