// RFC 8785 (JSON Canonicalization Scheme) over integers, text, booleans and null: for fingerprints of content only.
// Signed documents are never canonicalised; their exact bytes are kept.
import { AgentError } from '../errors/agent-error.ts';
import { sha256Hex } from './digest.ts';
import { MAX_DEPTH } from './strict-json.ts';

/**
 * The canonical text of a value: keys sorted by UTF-16 code units, no white space. Undefined fields are left out.
 *
 * @throws json_not_strict for numbers that are not safe integers, ill-formed text, other types; json_too_deep
 */
export function jcs(value: unknown): string {
  return write(value, 0);
}

/** SHA-256 (hex) of the UTF-8 of `jcs(value)`. */
export function jcsDigest(value: unknown): string {
  return sha256Hex(jcs(value));
}

function write(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return writeText(value);
    case 'number':
      if (!Number.isSafeInteger(value)) throw refuse('a number is not an integer below 2^53');
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      return value === null ? 'null' : writeContainer(value, depth);
    default:
      throw refuse(`a ${typeof value} has no JSON form`);
  }
}

function writeContainer(value: object, depth: number): string {
  if (depth === MAX_DEPTH) throw new AgentError('json_too_deep', `the value nests deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) return `[${value.map((item) => write(item, depth + 1)).join(',')}]`;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw refuse('a value is not a plain object');
  const fields = value as Record<string, unknown>;
  // The default sort compares UTF-16 code units, as RFC 8785 section 3.2.3 asks.
  const keys = Object.keys(fields).sort();
  const parts: string[] = [];
  for (const key of keys) {
    if (fields[key] !== undefined) parts.push(`${writeText(key)}:${write(fields[key], depth + 1)}`);
  }
  return `{${parts.join(',')}}`;
}

function writeText(text: string): string {
  if (!text.isWellFormed()) throw refuse('a text holds half a surrogate pair');
  return JSON.stringify(text);
}

function refuse(sentence: string): AgentError<'json_not_strict'> {
  return new AgentError('json_not_strict', sentence);
}
