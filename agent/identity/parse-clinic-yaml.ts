// clinic.yaml: a few keys, written by `central-command usb write` or by hand in whatever editor. Pure: text in, values and
// mistakes out (docs/formats/provision-files.md).
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node, type Pair } from 'yaml';
import { closestName } from '../errors/closest-name.ts';
import type { Mistake, MistakeCode } from './provision-mistake.ts';

export const CLINIC_FILE = 'clinic.yaml';
const REQUIRED_KEYS = ['central_url', 'root_sha256', 'ca_pins'] as const;
/** Without a token the device waits to be tied to a site by its label or a claim code. */
const KEYS = [...REQUIRED_KEYS, 'token', 'claim_url'] as const;
type Key = (typeof KEYS)[number];

const TOKEN_BYTES = 32;
/** With the code behind it, it still fits a QR code that a console can show. */
const MAX_CLAIM_URL = 200;
/** A pin in use and at least one to change to; more than four is a mistake. */
const MIN_PINS = 2;
const MAX_PINS = 4;
/** What a token is overwritten with, followed by hyphens up to its old length. */
export const USED_TOKEN = 'used';

export interface ClinicValues {
  readonly centralUrl: string;
  /** 32 random bytes in base64; null where the file names none. */
  readonly token: string | null;
  /** Where people type claim codes; null where the file names none. */
  readonly claimUrl: string | null;
  readonly rootSha256: string;
  readonly caPins: readonly string[];
}

const NO_VALUES = { centralUrl: null, token: null, claimUrl: null, rootSha256: null, caPins: null } as const;

export interface ClinicFile {
  /** Null for a value that is missing or wrong; then `mistakes` says so. */
  readonly values: { readonly [K in keyof ClinicValues]: ClinicValues[K] | null };
  readonly mistakes: readonly Mistake[];
  /** Where the token stands, in UTF-16 units of the text without BOM; null when there is none. */
  readonly tokenRange: readonly [start: number, end: number] | null;
}

type Report = (code: MistakeCode, at: Node | number | null, sentence: string) => null;

/** CR LF line ends are fine; the caller has taken off a byte order mark. */
export function parseClinicYaml(text: string): ClinicFile {
  const lines = new LineCounter();
  const mistakes: Mistake[] = [];
  const report: Report = (code, at, sentence) => {
    const offset = typeof at === 'number' ? at : at?.range?.[0];
    const line = offset === undefined ? null : Math.max(1, lines.linePos(offset).line);
    mistakes.push({ code, file: CLINIC_FILE, line, sentence });
    return null;
  };
  // `failsafe`: every scalar is text. A digest of digits only must not become a number.
  const options = { schema: 'failsafe', lineCounter: lines, prettyErrors: false, uniqueKeys: true } as const;
  const document = parseDocument(text, options);
  const broken = document.errors.find((error) => error.code !== 'DUPLICATE_KEY');
  if (broken !== undefined) {
    // What stands behind a broken line is guesswork: only the first one is named.
    report('yaml_syntax', broken.pos[0], 'this line is not valid YAML; write one "key: value" per line');
    return { values: NO_VALUES, mistakes, tokenRange: null };
  }
  for (const error of document.errors) report('key_duplicate', error.pos[0], 'this key stands twice');
  if (!isMap(document.contents)) report('yaml_syntax', 1, 'the file holds no "key: value" lines');
  const nodes = isMap(document.contents) ? nodesByKey(document.contents.items, report) : new Map<Key, Node>();
  const values = {
    centralUrl: readUrl(nodes.get('central_url'), report),
    token: readToken(nodes.get('token'), report),
    claimUrl: readClaimUrl(nodes.get('claim_url'), report),
    rootSha256: readDigest(nodes.get('root_sha256'), report),
    caPins: readPins(nodes.get('ca_pins'), report),
  };
  for (const key of REQUIRED_KEYS) if (!nodes.has(key)) report('key_missing', null, `${key} is missing`);
  const range = nodes.get('token')?.range;
  return { values, mistakes, tokenRange: range == null ? null : [range[0], range[1]] };
}

/** Of a key that stands twice the first counts: its mistake is reported already. */
function nodesByKey(pairs: readonly Pair<Node, Node | null>[], report: Report): Map<Key, Node> {
  const nodes = new Map<Key, Node>();
  for (const pair of pairs) {
    const key = isScalar(pair.key) ? String(pair.key.value) : '';
    if (isKey(key)) {
      if (pair.value !== null && !nodes.has(key)) nodes.set(key, pair.value);
      continue;
    }
    const close = closestName(key, KEYS);
    const hint = close === null ? '' : `; did you mean ${close}?`;
    report('key_unknown', pair.key, `${quoted(key)} is not a known key${hint}`);
  }
  return nodes;
}

function readUrl(node: Node | undefined, report: Report): string | null {
  if (node === undefined) return null;
  const url = textOf(node);
  const problem = urlProblem(url);
  return problem === null ? url : report('url_not_https', node, `central_url ${problem}`);
}

function readToken(node: Node | undefined, report: Report): string | null {
  if (node === undefined) return null;
  const token = textOf(node);
  if (token.startsWith(USED_TOKEN)) {
    return report(
      'token_used',
      node,
      'the token was used already; write a new stick with central-command usb write, or remove this line to enrol with a claim code',
    );
  }
  const bytes = Buffer.from(token, 'base64');
  if (bytes.length === TOKEN_BYTES && bytes.toString('base64') === token) return token;
  return report('token_malformed', node, 'token must be 44 characters of base64, as Central Command printed it');
}

function readClaimUrl(node: Node | undefined, report: Report): string | null {
  if (node === undefined) return null;
  const text = textOf(node);
  const url = URL.parse(text);
  const plain = url?.protocol === 'https:' && url.username === '' && url.password === '' && url.hash === '';
  if (plain && text.length <= MAX_CLAIM_URL) return text;
  return report('url_not_https', node, 'claim_url must be an https:// address of up to 200 characters without #');
}

function readDigest(node: Node | undefined, report: Report): string | null {
  if (node === undefined) return null;
  const digest = textOf(node);
  return isDigest(digest) ? digest : report('digest_malformed', node, 'root_sha256 must be 64 lower-case hex digits');
}

function readPins(node: Node | undefined, report: Report): readonly string[] | null {
  if (node === undefined) return null;
  const pins = isSeq(node) ? node.items.map((item) => textOf(item)) : [];
  const distinct = new Set(pins).size === pins.length;
  if (pins.length >= MIN_PINS && pins.length <= MAX_PINS && distinct && pins.every(isDigest)) return pins;
  return report('pins_malformed', node, 'ca_pins must list 2 to 4 different digests of 64 lower-case hex digits');
}

/** Empty for anything that is no plain value. */
const textOf = (node: unknown): string => (isScalar(node) ? String(node.value).trim() : '');

/** Null for `https://host[:port]` and nothing else. */
function urlProblem(text: string): string | null {
  const url = URL.parse(text);
  if (url === null) return 'is not an address';
  if (url.protocol === 'http:') return 'must begin with https://, plain http:// is never used';
  if (url.protocol !== 'https:') return 'must begin with https://';
  const plain =
    url.username === '' && url.password === '' && url.pathname === '/' && url.search === '' && url.hash === '';
  return plain ? null : 'must be https://host or https://host:port and nothing behind it';
}

const isKey = (key: string): key is Key => (KEYS as readonly string[]).includes(key);
const isDigest = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);
/** A short printable form of what somebody typed. */
const quoted = (text: string): string => JSON.stringify(text.slice(0, 40).replace(/[^\x20-\x7e]/g, '?'));
