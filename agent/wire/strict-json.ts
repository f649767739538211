// `wire` is the language of everything that is signed: strict JSON, DSSE, notes, Merkle trees and the schemas. Pure.
//
// Strict JSON is the one spelling of a value that is accepted in signed bytes, so that two parsers cannot read two
// things into them (docs/formats/encodings.md).
import { isAscii } from 'node:buffer';
import { AgentError, type AgentErrorOptions } from '../errors/agent-error.ts';
import type { ErrorCode } from '../errors/codes.ts';

/** Arrays and objects may nest this deep; a scalar at the top has depth 0. Bounds every recursion over parsed values. */
export const MAX_DEPTH = 16;

/** Names with a meaning of their own in JavaScript: an object must not carry them as data. */
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
const SHORTEST_FORBIDDEN = 9;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

interface Fault {
  readonly code: 'json_not_strict' | 'json_too_deep';
  readonly path: string;
  readonly what: string;
}

/**
 * Parses bytes that must be exactly what `JSON.stringify(JSON.parse(bytes))` gives, and hold only safe integers,
 * well-formed text, booleans, null, arrays and objects. This refuses duplicate keys, white space, other spellings of
 * numbers and escapes, and keys made of digits (JavaScript reorders them).
 *
 * @throws json_too_large | json_too_deep | json_not_strict
 */
export function parseStrict(bytes: Uint8Array, o: { maxBytes: number; place?: string | undefined }): unknown {
  if (bytes.byteLength > o.maxBytes) {
    throw new AgentError(
      'json_too_large',
      `the document has ${bytes.byteLength} bytes, at most ${o.maxBytes} may be`,
      at(o.place),
    );
  }
  const ascii = isAscii(bytes);
  let text: string;
  let value: unknown;
  try {
    text = ascii
      ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
      : utf8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    // Without the native error: it quotes the text, which may be secret.
    throw new AgentError('json_not_strict', 'the bytes are not JSON in UTF-8', at(o.place));
  }
  // Depth is checked before JSON.stringify, which recurses.
  const fault = walk(value, 0, !ascii || text.includes('\\u'));
  if (fault !== null) throw faultError(fault, o.place);
  if (JSON.stringify(value) !== text) {
    throw new AgentError('json_not_strict', 'the JSON is not in its one allowed spelling', at(o.place));
  }
  return value;
}

/**
 * The bytes of a value in strict JSON; keys in the order in which the object holds them, undefined fields left out.
 *
 * @throws json_too_deep | json_not_strict for values that strict JSON cannot hold
 */
export function encodeStrict(value: unknown): Buffer {
  let fault = walk(value, 0, false);
  const text = fault === null ? JSON.stringify(value) : '';
  // JSON.stringify writes half a surrogate pair as an escape: only then is it worth to look at each string.
  if (text.includes('\\ud')) fault = walk(value, 0, true);
  if (fault !== null) throw faultError(fault, undefined);
  return Buffer.from(text);
}

/** `checkText` is false where the source was ASCII without \u escapes: then no string can be ill-formed. */
function walk(value: unknown, depth: number, checkText: boolean): Fault | null {
  switch (typeof value) {
    case 'string':
      return checkText && !value.isWellFormed() ? fault('holds half a surrogate pair') : null;
    case 'number':
      return Number.isSafeInteger(value) ? null : fault('is not an integer below 2^53');
    case 'boolean':
      return null;
    case 'object':
      if (value === null) return null;
      if (depth === MAX_DEPTH) {
        return { code: 'json_too_deep', path: '', what: `nests deeper than ${MAX_DEPTH} levels` };
      }
      return Array.isArray(value) ? walkArray(value, depth, checkText) : walkObject(value, depth, checkText);
    default:
      return fault(`is a ${typeof value}`);
  }
}

function walkArray(value: readonly unknown[], depth: number, checkText: boolean): Fault | null {
  for (let i = 0; i < value.length; i++) {
    const inner = walk(value[i], depth + 1, checkText);
    if (inner !== null) return { ...inner, path: `[${i}]${inner.path}` };
  }
  return null;
}

function walkObject(value: object, depth: number, checkText: boolean): Fault | null {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return fault('is not a plain object');
  for (const key of Object.keys(value)) {
    const inner = keyFault(key, checkText) ?? fieldFault((value as Record<string, unknown>)[key], depth, checkText);
    if (inner !== null) return { ...inner, path: `.${printable(key)}${inner.path}` };
  }
  return null;
}

function fieldFault(field: unknown, depth: number, checkText: boolean): Fault | null {
  return field === undefined ? null : walk(field, depth + 1, checkText);
}

function keyFault(key: string, checkText: boolean): Fault | null {
  const first = key.charCodeAt(0);
  if (first >= 0x30 && first <= 0x39 && /^[0-9]+$/.test(key)) return fault('has a name made of digits');
  if (key.length >= SHORTEST_FORBIDDEN && FORBIDDEN_KEYS.has(key)) return fault('has a name that may not be used');
  return checkText && !key.isWellFormed() ? fault('has a name that holds half a surrogate pair') : null;
}

function fault(what: string): Fault {
  return { code: 'json_not_strict', path: '', what };
}

/** Keys come from strangers: what goes into a message is short and printable ASCII. */
function printable(key: string): string {
  return key.slice(0, 64).replace(/[^A-Za-z0-9_.:/-]/g, '?');
}

function faultError(f: Fault, place: string | undefined): AgentError<ErrorCode> {
  const path = f.path === '' ? 'the document' : f.path.replace(/^\./, '');
  return new AgentError(f.code, `${path} ${f.what}`, { ...at(place), details: { path: f.path.replace(/^\./, '') } });
}

function at(place: string | undefined): AgentErrorOptions {
  return place === undefined ? {} : { place };
}
