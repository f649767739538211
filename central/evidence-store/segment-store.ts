// The place where evidence lies for years, as the rest of Central Command sees it: objects of consecutive lines that are written
// once and never again. Two implementations: a folder of read-only files, and a bucket with S3 Object Lock.

/** One stored object of a log. */
export interface SegmentRef {
  readonly origin: string;
  /** `seq` of its first line. */
  readonly first: number;
  /** `seq` of its last line, where the name tells it. */
  readonly last: number | null;
  /** As receipts name it; in a bucket with its version. */
  readonly objectId: string;
}

/** What a listing shows under one first entry. */
export interface Listed extends SegmentRef {
  /** A delete marker lies over it: readers that name no version do not find it. */
  readonly hidden: boolean;
  /** Everything else that is stored under the same first entry. */
  readonly others: readonly SegmentRef[];
}

/** A part of a log's listing: all of `from` ≤ first < `next`. */
export interface Inventory {
  /** By rising first entry. */
  readonly segments: readonly Listed[];
  /** Names among the segments that no upload ever gets. */
  readonly strangers: readonly string[];
  /** First entry at which to go on; null at the end. */
  readonly next: number | null;
}

export interface ReadSegment {
  readonly bytes: Buffer;
  /** Why this object is protected less than it was when it was stored; null where it is not. */
  readonly weakness: string | null;
  /** Until when the store itself keeps it, Unix seconds; null where it does not. */
  readonly retainUntil: number | null;
}

export interface SegmentStore {
  /** `store` in receipts. */
  readonly kind: 'files' | 's3';
  /** What is stored cannot be changed for years: a start goes by the index instead of reading everything. */
  readonly locked: boolean;
  /** How what is stored is protected, in one sentence. */
  readonly protection: string;
  /** Logs of which something is stored, sorted. */
  origins(): Promise<string[]>;
  /**
   * The objects of a log with `first` ≥ `from`, rising. Of several under one first entry the oldest alone counts. What this
   * returns survives a power cut.
   */
  segments(origin: string, from: number): Promise<SegmentRef[]>;
  /**
   * Stores lines (each without its LF). When this returns, they survive a power cut. Nothing is ever replaced. After an error
   * they may be stored or not: `segments` tells.
   *
   * @param retainUntil Unix seconds
   * @throws evidence_unwritable, evidence_store_unreachable, evidence_store_denied, evidence_store_unlocked, evidence_store_clock
   */
  write(origin: string, first: number, lines: readonly Buffer[], retainUntil: number): Promise<SegmentRef>;
  /** @throws evidence_damaged where it is gone or cannot be read; as `write` where the store does not answer */
  read(ref: SegmentRef, retainUntil?: number): Promise<ReadSegment>;
  /** Keeps lines that contradict stored ones, out of the log's numbering; the same line once, at most 1,000 per log. */
  keepConflict(origin: string, seq: number, line: Buffer, retainUntil: number): Promise<void>;
  /** How many contradicting lines are kept. */
  conflicts(origin: string): Promise<number>;
  /** @param limit segments at most, or so */
  inventory(origin: string, from: number, limit: number): Promise<Inventory>;
  /** Removes what an interrupted write left behind; only the server may, before it writes. */
  tidy(): Promise<void>;
  close(): void;
}

/** Contradicting lines kept per log: enough to see what happened, too few to fill the store. */
export const MAX_CONFLICTS = 1_000;
/** Zero-padded so that names sort by entry. */
const DIGITS = 12;

/** Folder or prefix of a log. Origins hold no `_`, so no two of them share one. */
export const folderOfOrigin = (origin: string): string => origin.replaceAll('/', '_');
export const originOfFolder = (folder: string): string => folder.replaceAll('_', '/');
export const padded = (seq: number): string => String(seq).padStart(DIGITS, '0');

const LF = 0x0a;

/** Lines without their LF; null where the bytes do not end with one. */
export function splitLines(bytes: Buffer): Buffer[] | null {
  if (bytes.length === 0) return [];
  if (bytes[bytes.length - 1] !== LF) return null;
  const lines: Buffer[] = [];
  let from = 0;
  for (let end = bytes.indexOf(LF); end !== -1; end = bytes.indexOf(LF, from)) {
    lines.push(bytes.subarray(from, end));
    from = end + 1;
  }
  return lines;
}

/** The bytes of an object: each line and its LF. */
export function joinLines(lines: readonly Buffer[]): Buffer {
  const lf = Buffer.of(LF);
  return Buffer.concat(lines.flatMap((line) => [line, lf]));
}
