// Reads a YAML data file strictly: every mistake at once, each with its line. Pure.
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { isNode, LineCounter, parseDocument, type Document } from 'yaml';
import { AgentError } from '../errors/agent-error.ts';
import { closestName } from '../errors/closest-name.ts';
import type { ErrorCode } from '../errors/codes.ts';

/** Baselines and control maps are a few kilobytes. */
const MAX_DATA_FILE_BYTES = 256 * 1024;
/** A file full of mistakes is told in its first ones. */
const MAX_MISTAKES = 20;

export interface DataFile<T> {
  readonly value: T;
  /** Of the file's bytes, lower-case hex. */
  readonly sha256: string;
}

interface Mistake {
  readonly line: number;
  readonly sentence: string;
}

function refuse(code: ErrorCode, place: string, mistakes: readonly Mistake[]): never {
  const shown = mistakes.slice(0, MAX_MISTAKES).map((m) => `line ${m.line}: ${m.sentence}`);
  const more = mistakes.length > MAX_MISTAKES ? `; and ${mistakes.length - MAX_MISTAKES} more` : '';
  throw new AgentError(code, shown.join('; ') + more, {
    place: `${place}:${mistakes[0]?.line ?? 1}`,
    details: { mistakes: mistakes.length },
  });
}

/** Line of the value at `path`, or of the nearest of its parents that is in the file. */
function lineAt(document: Document, path: readonly PropertyKey[], lines: LineCounter): number {
  for (let depth = path.length; depth >= 0; depth--) {
    const node: unknown = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}

/** Names of all fields that a schema knows, at any depth. */
function fieldNames(schema: unknown, into: Set<string>): ReadonlySet<string> {
  if (typeof schema !== 'object' || schema === null) return into;
  const { entries, pipe, options, items, item, wrapped, value } = schema as Record<string, unknown>;
  for (const [key, field] of Object.entries(entries ?? {})) {
    into.add(key);
    fieldNames(field, into);
  }
  for (const list of [pipe, options, items]) {
    if (Array.isArray(list)) for (const inner of list) if (inner !== schema) fieldNames(inner, into);
  }
  for (const inner of [item, wrapped, value]) fieldNames(inner, into);
  return into;
}

function describe(issue: v.BaseIssue<unknown>, path: string, known: ReadonlySet<string>): string {
  const where = path === '' ? 'the file' : path;
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    const close = closestName(path.split('.').at(-1) ?? '', [...known]);
    return `${where} is not a known key${close === null ? '' : `; did you mean ${close}?`}`;
  }
  if (issue.received === 'undefined') return `${where} is missing`;
  return `${where}: ${issue.message}`;
}

function decode(bytes: Uint8Array, code: ErrorCode, place: string): string {
  if (bytes.length > MAX_DATA_FILE_BYTES) {
    refuse(code, place, [{ line: 1, sentence: `the file is larger than ${MAX_DATA_FILE_BYTES} bytes` }]);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return refuse(code, place, [{ line: 1, sentence: 'the file is not UTF-8' }]);
  }
}

/**
 * YAML 1.2 core schema, one document, no duplicate keys, no aliases, no tags of its own; then `schema`.
 *
 * @param code what is thrown for any mistake; the message lists them all
 */
export function parseDataFile<S extends v.GenericSchema>(
  bytes: Uint8Array,
  place: string,
  schema: S,
  code: ErrorCode,
): DataFile<v.InferOutput<S>> {
  const text = decode(bytes, code, place);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    strict: true,
    uniqueKeys: true,
    lineCounter: lines,
  });
  const syntax = [...document.errors, ...document.warnings].map((error) => ({
    line: lines.linePos(error.pos[0]).line,
    sentence: error.message.split('\n')[0] ?? 'not YAML',
  }));
  if (syntax.length > 0) refuse(code, place, syntax);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 0 });
  } catch {
    refuse(code, place, [{ line: 1, sentence: 'aliases are not allowed' }]);
  }
  const checked = v.safeParse(schema, value);
  if (!checked.success) {
    const known = fieldNames(schema, new Set());
    refuse(
      code,
      place,
      checked.issues.map((issue) => {
        const path = (issue.path ?? []).map((item) => item.key as PropertyKey);
        return { line: lineAt(document, path, lines), sentence: describe(issue, path.join('.'), known) };
      }),
    );
  }
  return { value: checked.output, sha256: createHash('sha256').update(bytes).digest('hex') };
}
