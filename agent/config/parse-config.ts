// Reads configuration text: strict YAML 1.2 without anchors, aliases and tags, against the table of keys. Pure.
import * as v from 'valibot';
import { isAlias, isMap, isNode, isScalar, LineCounter, parseAllDocuments, visit, type YAMLMap } from 'yaml';
import { CODES } from '../errors/codes.ts';
import { closestName } from '../errors/closest-name.ts';
import type { ConfigProblem } from './config-error.ts';
import {
  KEYS,
  RELATIVE_PATH,
  UNKNOWN_TIME_ZONE,
  WINDOW_FIELDS,
  type Config,
  type ConfigKey,
  type KeyInfo,
} from './keys.ts';

/** 1-based position in the file. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export type ParsedConfig =
  | {
      readonly ok: true;
      readonly config: Config;
      readonly warnings: readonly string[];
      /** Where each key that the file sets stands; the others have their default. */
      readonly positions: ReadonlyMap<ConfigKey, Position>;
    }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

const KEY_NAMES = Object.keys(KEYS) as ConfigKey[];
/** Signed site policy decides these; a local line would look effective and is not. */
const POLICY_KEYS = [
  'allow_disruptive_outside_window',
  'policy_version',
  'outputs',
  'syslog',
  'webhook',
  'healing',
  'waivers',
];
const SECRET_KEY = /password|passwd|secret|token|private|credential/i;
const MAX_SHOWN_CHARS = 40;

const shown = (value: unknown): string => {
  const text = value === null ? 'nothing' : (JSON.stringify(value) ?? typeof value);
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text;
};

/** Collects problems of one text together with their places. */
class Problems {
  readonly list: (ConfigProblem & { readonly offset: number })[] = [];
  readonly #path: string;
  readonly #lines: LineCounter;

  constructor(path: string, lines: LineCounter) {
    this.#path = path;
    this.#lines = lines;
  }

  position(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  add(code: ConfigProblem['code'], offset: number, sentence: string, remedy: string = CODES[code].remedy): void {
    const { line, column } = this.position(offset);
    this.list.push({ code, offset, place: `${this.#path}:${line}:${column}`, sentence, remedy });
  }

  sorted(): ConfigProblem[] {
    return this.list
      .toSorted((a, b) => a.offset - b.offset)
      .map(({ code, place, sentence, remedy }) => ({ code, place, sentence, remedy }));
  }
}

const offsetOf = (node: unknown): number => (isNode(node) ? (node.range?.[0] ?? 0) : 0);

function unknownKey(problems: Problems, key: string, offset: number, known: readonly string[], inside: string): void {
  const suggestion = closestName(key, known);
  let remedy = suggestion === null ? `known keys: ${known.join(', ')}` : `did you mean \`${suggestion}\`?`;
  if (suggestion === null && POLICY_KEYS.includes(key)) remedy = 'the signed site policy decides this; remove the line';
  else if (suggestion === null && SECRET_KEY.test(key))
    remedy = 'secrets are never written here; remove the line and change the secret';
  problems.add('config_key_unknown', offset, `${inside}has no key \`${key.slice(0, MAX_SHOWN_CHARS)}\``, remedy);
}

/** Judges one value; the first issue is the one worth telling. */
function judge(
  problems: Problems,
  key: string,
  info: Pick<KeyInfo, 'schema' | 'accepts'>,
  value: unknown,
  offset: number,
): boolean {
  const result = v.safeParse(info.schema, value);
  if (result.success) return true;
  const messages = result.issues.map((issue) => issue.message);
  const must = `\`${key}\` must be ${info.accepts}`;
  if (messages.includes(RELATIVE_PATH)) {
    problems.add('config_path_relative', offset, `\`${key}\` is the relative path ${shown(value)}`);
  } else if (messages.includes(UNKNOWN_TIME_ZONE)) {
    const close = closestName(String(value), Intl.supportedValuesOf('timeZone'));
    const remedy = close === null ? CODES.config_time_zone_unknown.remedy : `did you mean \`${close}\`?`;
    problems.add('config_time_zone_unknown', offset, `${shown(value)} is not a time zone of the IANA database`, remedy);
  } else {
    const seen = key === 'central_url' ? '' : `, not ${shown(value)}`;
    problems.add('config_value_invalid', offset, `${must}${seen}`);
  }
  return false;
}

/** Name, value and places of each pair; keys that are no plain text are told and left out. */
function pairsOf(
  map: YAMLMap,
): { key: string; value: unknown; keyOffset: number; valueOffset: number; node: unknown }[] {
  return map.items.map((pair) => {
    const keyOffset = offsetOf(pair.key);
    const value = isNode(pair.value) ? (pair.value.toJSON() as unknown) : null;
    const isEmpty = isScalar(pair.value) && pair.value.value === null && pair.value.source === '';
    return {
      key: isScalar(pair.key) ? String(pair.key.value) : String(pair.key),
      value,
      keyOffset,
      valueOffset: isNode(pair.value) && !isEmpty ? offsetOf(pair.value) : keyOffset,
      node: pair.value,
    };
  });
}

function readWindow(problems: Problems, node: unknown, offset: number): void {
  if (!isMap(node)) return;
  const names = Object.keys(WINDOW_FIELDS) as (keyof typeof WINDOW_FIELDS)[];
  const seen = new Map<string, unknown>();
  for (const { key, value, keyOffset, valueOffset } of pairsOf(node)) {
    seen.set(key, value);
    const field = names.find((name) => name === key);
    if (field === undefined) unknownKey(problems, key, keyOffset, names, '`maintenance_window` ');
    else judge(problems, `maintenance_window.${field}`, WINDOW_FIELDS[field], value, valueOffset);
  }
  for (const name of names) {
    if (!seen.has(name))
      problems.add(
        'config_key_missing',
        offset,
        `\`maintenance_window\` lacks \`${name}\``,
        `add it: ${WINDOW_FIELDS[name].accepts}`,
      );
  }
  if (seen.has('start') && seen.get('start') === seen.get('end')) {
    problems.add(
      'config_value_invalid',
      offset,
      '`maintenance_window` starts and ends at the same time',
      'let `end` differ from `start`',
    );
  }
}

/** Refuses what YAML can do beyond plain data: it surprises people and hides what is in force. */
function refuseFeatures(problems: Problems, root: Parameters<typeof visit>[0]): void {
  visit(root, {
    Node(_key, node) {
      if (isAlias(node))
        problems.add('config_syntax', offsetOf(node), 'aliases (`*name`) are not read here', 'write the value out');
      else if (node.anchor !== undefined)
        problems.add('config_syntax', offsetOf(node), 'anchors (`&name`) are not read here', 'remove the anchor');
      else if (node.tag !== undefined && node.tag.startsWith('!')) {
        problems.add('config_syntax', offsetOf(node), 'tags (`!name`) are not read here', 'remove the tag');
      }
    },
  });
}

/** The effective configuration in `text`, or every mistake in it. `path` is used for places only. */
export function parseConfig(text: string, path: string): ParsedConfig {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    version: '1.2',
    schema: 'core',
    merge: false,
  });
  const problems = new Problems(path, lines);
  const document = documents[0];
  const errors = documents.flatMap((one) => [...one.errors, ...one.warnings]);
  for (const error of errors) {
    if (error.code === 'DUPLICATE_KEY')
      problems.add('config_key_duplicate', error.pos[0], 'the same key stands here a second time');
    else problems.add('config_syntax', error.pos[0], `not readable as YAML: ${error.message.split('\n')[0] ?? ''}`);
  }
  if (documents.length > 1) {
    problems.add(
      'config_syntax',
      documents[1]?.range[0] ?? 0,
      'a second document starts here',
      'keep one document per file',
    );
  }
  const root = document?.contents ?? null;
  if (problems.list.length === 0 && document !== undefined && root !== null) refuseFeatures(problems, document);
  if (problems.list.length > 0) return { ok: false, problems: problems.sorted() };
  if (root !== null && !isMap(root) && !(isScalar(root) && root.value === null)) {
    problems.add(
      'config_syntax',
      offsetOf(root),
      'the file is not a list of `key: value` lines',
      'write one `key: value` per line',
    );
    return { ok: false, problems: problems.sorted() };
  }
  return readKeys(problems, isMap(root) ? root : null);
}

function readKeys(problems: Problems, root: YAMLMap | null): ParsedConfig {
  const values: Record<string, unknown> = Object.fromEntries(KEY_NAMES.map((key) => [key, KEYS[key].default]));
  const positions = new Map<ConfigKey, Position>();
  let modeOffset = 0;
  for (const { key, value, keyOffset, valueOffset, node } of root === null ? [] : pairsOf(root)) {
    const name = KEY_NAMES.find((known) => known === key);
    if (name === undefined) {
      unknownKey(problems, key, keyOffset, KEY_NAMES, 'the configuration ');
      continue;
    }
    if (name === 'mode') modeOffset = keyOffset;
    positions.set(name, problems.position(keyOffset));
    judge(problems, name, KEYS[name], value, valueOffset);
    if (name === 'maintenance_window') readWindow(problems, node, keyOffset);
    values[name] = value;
  }
  if (values['mode'] === 'reseller' && values['reseller_id'] === null) {
    problems.add('reseller_id_missing', modeOffset, 'mode `reseller` needs `reseller_id`');
  }
  if (problems.list.length > 0) return { ok: false, problems: problems.sorted() };
  const config = values as unknown as Config;
  const isIdle = config.mode === 'direct' && config.reseller_id !== null;
  return {
    ok: true,
    config: {
      ...config,
      reseller_id: isIdle ? null : config.reseller_id,
      central_url: config.central_url?.replace(/\/$/, '') ?? null,
    },
    warnings: isIdle ? ['`reseller_id` has no effect in mode `direct`'] : [],
    positions,
  };
}
