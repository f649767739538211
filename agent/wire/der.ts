// DER (X.690): as much as RFC 3161 timestamps need. Definite lengths only. Pure.
import { AgentError } from '../errors/agent-error.ts';

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  octets: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  time: 0x18,
  sequence: 0x30,
  set: 0x31,
  /** Context-specific, constructed, number 0. */
  context0: 0xa0,
  context1: 0xa1,
} as const;

/** Deeper nesting is no timestamp. */
const MAX_LENGTH_BYTES = 4;

export interface DerValue {
  readonly tag: number;
  readonly content: Buffer;
  /** Tag, length and content. */
  readonly raw: Buffer;
}

/** One value with its tag and length. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(tag), lengthOf(content.length), content]);
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.of(0x80 | bytes.length, ...bytes);
}

/** A positive INTEGER from its magnitude. */
export function derInteger(magnitude: Uint8Array): Buffer {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const bytes = magnitude.subarray(start);
  return der(TAG.integer, (bytes[0] ?? 0) >= 0x80 ? Buffer.of(0) : Buffer.alloc(0), bytes);
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function derOid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const digits = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) digits.unshift((left % 128) | 0x80);
    return digits;
  });
  return der(TAG.oid, Buffer.from(bytes));
}

/** Exactly one value. @throws timestamp_invalid */
export function readDer(bytes: Buffer): DerValue {
  const [value, ...more] = readAll(bytes);
  if (value === undefined || more.length > 0) throw malformed('there is not exactly one value');
  return value;
}

/** The values within a constructed one. @throws timestamp_invalid */
export const inside = (value: DerValue): DerValue[] => readAll(value.content);

function readAll(bytes: Buffer): DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at];
    let length = bytes[at + 1];
    if (tag === undefined || length === undefined || (tag & 0x1f) === 0x1f) throw malformed('a tag is not readable');
    let start = at + 2;
    if (length >= 0x80) {
      const count = length - 0x80;
      if (count === 0 || count > MAX_LENGTH_BYTES || start + count > bytes.length) throw malformed('a length is wrong');
      length = bytes.readUIntBE(start, count);
      start += count;
    }
    if (start + length > bytes.length) throw malformed('a value is cut off');
    values.push({ tag, content: bytes.subarray(start, start + length), raw: bytes.subarray(at, start + length) });
    at = start + length;
  }
  return values;
}

/** @throws timestamp_invalid where the value has another tag, or is missing */
export function expectTag(value: DerValue | undefined, tag: number): DerValue {
  if (value?.tag === tag) return value;
  throw malformed(`a value with tag 0x${tag.toString(16)} is missing`);
}

/** @throws timestamp_invalid */
export function readOid(value: DerValue | undefined): string {
  const { content } = expectTag(value, TAG.oid);
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f);
    if (!Number.isSafeInteger(arc)) throw malformed('an object identifier is too large');
    if (byte < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const [head = 0, ...rest] = arcs;
  const first = Math.min(Math.floor(head / 40), 2);
  return [first, head - first * 40, ...rest].join('.');
}

/** A small non-negative INTEGER. @throws timestamp_invalid */
export function readSmallInteger(value: DerValue | undefined): number {
  const { content } = expectTag(value, TAG.integer);
  if (content.length === 0 || content.length > 6) throw malformed('a number is too large');
  return content.readUIntBE(0, content.length);
}

export function malformed(sentence: string): AgentError<'timestamp_invalid'> {
  return new AgentError('timestamp_invalid', `the timestamp is malformed: ${sentence}`);
}
