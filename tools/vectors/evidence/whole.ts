// What the vectors of whole evidence are made from: a positive is complete, a negative names the positive that it differs from.
import type { ErrorCode } from '../../../agent/errors/codes.ts';
import { ALERT_BODY, EPOCH_BODY, FINDING_BODY, statement } from '../samples-entries.ts';
import { BINDING, ORIGIN } from '../samples-enrolment.ts';
import { NOW, ROOT } from '../samples-trust.ts';
import { envelope, hexDigest, leaf, signedLine, treeRoot, vectorKey, type VectorKey } from '../signing.ts';

export const ENTRY_TYPE = 'application/vnd.in-toto+json';
export const ZEROS = '0'.repeat(64);
export const device = vectorKey('device');
export const thief = vectorKey('thief');

/** Everything that a verifier is given: trust roots, the lines of one log, the receipts for it. */
export interface Whole {
  readonly name: string;
  readonly roots: readonly string[];
  readonly lines: readonly string[];
  readonly receipts: readonly string[];
  /** Signed notes. */
  readonly checkpoints: readonly string[];
  /** Lists of revocations, one signed line each. */
  readonly revocations?: readonly string[];
  /** What the verifier brings from outside: lines "checkpoint <origin> <size> <root>". */
  readonly anchors?: readonly string[];
}

/** How far others vouch for a positive: sizes, 0 for not at all. */
export interface Vouched {
  readonly witnessed: number;
  readonly anchored: number;
}

/** A part that is the positive's own is left out; a line that is the positive's own is its number there. */
export interface EvidenceCase {
  readonly name: string;
  readonly like?: string;
  readonly roots?: readonly string[];
  readonly lines?: readonly (string | number)[];
  readonly receipts?: readonly string[];
  readonly checkpoints?: readonly string[];
  readonly revocations?: readonly string[];
  readonly anchors?: readonly string[];
  readonly expect: 'ok' | ErrorCode;
  /** Position of the first line that does not hold; null where the fault is in no line. */
  readonly seq: number | null;
  readonly size?: number;
  readonly root?: string;
  readonly vouched?: Vouched;
}

export interface EvidenceFile {
  /** Digest of the root that verification begins with. */
  readonly root_sha256: string;
  readonly cases: readonly EvidenceCase[];
}

export const rootLine = (root: object, ...signers: string[]): string =>
  signedLine('application/vnd.compliance-agent.root+json', JSON.stringify(root), ...signers.map(vectorKey));
export const ROOT_LINE = rootLine(ROOT, 'root-a', 'root-b');
export const ROOT_SHA256 = hexDigest(JSON.stringify(ROOT));

export const whole = (name: string, lines: readonly string[], more: Partial<Whole> = {}): Whole => ({
  name,
  roots: [ROOT_LINE],
  receipts: [],
  checkpoints: [],
  lines,
  ...more,
});

export function good(positive: Whole, vouched?: Vouched): EvidenceCase {
  const { name, roots, lines, receipts, checkpoints, revocations, anchors } = positive;
  return {
    name,
    roots,
    lines,
    receipts,
    checkpoints,
    ...(revocations === undefined ? {} : { revocations }),
    ...(anchors === undefined ? {} : { anchors }),
    expect: 'ok',
    seq: null,
    size: lines.length,
    root: rootOf(lines),
    ...(vouched === undefined ? {} : { vouched }),
  };
}

/** `change` holds the one part in which the negative differs. */
export function bad(
  name: string,
  like: Whole,
  change: Partial<Pick<Whole, 'roots' | 'lines' | 'receipts' | 'checkpoints' | 'revocations' | 'anchors'>>,
  expect: ErrorCode,
  seq: number | null,
): EvidenceCase {
  const lines = change.lines?.map((line) => (like.lines.includes(line) ? like.lines.indexOf(line) : line));
  return { name, like: like.name, ...change, ...(lines === undefined ? {} : { lines }), expect, seq };
}

export const sign = (value: object, ...keys: VectorKey[]): string =>
  signedLine(ENTRY_TYPE, JSON.stringify(value), ...(keys.length === 0 ? [device] : keys));

export const prevOf = (lines: readonly string[]): string =>
  lines.length === 0 ? ZEROS : leaf(lines.at(-1)!).toString('hex');

export const rootOf = (lines: readonly string[]): string => treeRoot(lines.map(leaf)).toString('hex');

export const entry0 = (body: object = EPOCH_BODY, ...keys: VectorKey[]): string =>
  sign(statement('epoch', body, 0, ZEROS), ...keys);

/** Entry 0, a finding, then alerts. `differs` is put into the alerts from `from` on: the same log told otherwise. */
export function logOf(size: number, differs = '', from = 0): string[] {
  const lines: string[] = [entry0()];
  for (let seq = 1; seq < size; seq++) {
    const body =
      seq === 1 ? FINDING_BODY : { ...ALERT_BODY, ...(seq >= from && differs !== '' ? { remedy: differs } : {}) };
    lines.push(sign(statement(seq === 1 ? 'finding' : 'alert', body, seq, prevOf(lines))));
  }
  return lines;
}

/** The body of an epoch entry around a binding with `change`, signed by `key`. */
export function boundBy(key: VectorKey, change: object = {}, status = 'confirmed'): object {
  const payload = JSON.stringify({ ...BINDING, ...change });
  return { binding: envelope('application/vnd.compliance-agent.binding+json', payload, [key]), status };
}

/** A receipt for the first `size` of `lines`. */
export function receiptFor(
  lines: readonly string[],
  size = lines.length,
  change: object = {},
  key = vectorKey('receipt'),
): string {
  const receipt = {
    schema: 'compliance-agent/receipt/v1',
    origin: ORIGIN,
    size,
    root: rootOf(lines.slice(0, size)),
    stored_at: NOW + 60,
    store: 'files',
    object_id: `${size}.jsonl`,
    retain_until: NOW + 7 * 31_536_000,
    stored_unverified: [],
    ...change,
  };
  return signedLine('application/vnd.compliance-agent.receipt+json', JSON.stringify(receipt), key);
}

export const last = (lines: readonly string[], line: string): string[] => [...lines.slice(0, -1), line];
