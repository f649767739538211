import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { plainBody } from '../../../central/http/plain-body.ts';
import { expectCode } from '../../support/expect-code.ts';

const LIMIT = 1_000;
const packed = { 'content-encoding': 'gzip' };

describe('a packed body', () => {
  it('comes out as it was, and a plain one is left alone', () => {
    const body = Buffer.from('{"a":1}');
    expect(plainBody(packed, gzipSync(body), LIMIT)).toEqual(body);
    expect(plainBody({}, body, LIMIT)).toBe(body);
  });

  it('that unpacks to more than the limit is refused however small it came', () => {
    expect(plainBody(packed, gzipSync(Buffer.alloc(LIMIT)), LIMIT)).toHaveLength(LIMIT);
    const bomb = gzipSync(Buffer.alloc(LIMIT * 100));
    expect(bomb.length).toBeLessThan(LIMIT);
    expectCode(() => plainBody(packed, bomb, LIMIT), 'body_too_large');
  });

  it('is refused where it is cut, not gzip, or packed in another way', () => {
    expectCode(() => plainBody(packed, gzipSync(Buffer.from('{"a":1}')).subarray(0, -4), LIMIT), 'request_malformed');
    expectCode(() => plainBody(packed, Buffer.from('{"a":1}'), LIMIT), 'request_malformed');
    for (const encoding of ['br', 'gzip, gzip', 'identity', '']) {
      expectCode(() => plainBody({ 'content-encoding': encoding }, Buffer.from('{}'), LIMIT), 'media_type_unsupported');
    }
  });
});
