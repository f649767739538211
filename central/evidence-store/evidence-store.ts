// Stores what appliances upload: one append-only log per appliance and epoch in a store of segments, its Merkle range in memory,
// held against every receipt that was ever given when the server starts.
import { createHash } from 'node:crypto';
import { AgentError, isAgentError } from '../../agent/errors/agent-error.ts';
import { CompactRange, leafHash } from '../../agent/wire/merkle.ts';
import type { ObjectRow, ObjectTable } from '../store/object-table.ts';
import { joinLines, splitLines, type SegmentRef, type SegmentStore } from './segment-store.ts';

/** What was promised: at `size` entries the log had this root (hex). */
export interface SizeAndRoot {
  readonly size: number;
  readonly root: string;
}

export interface LogState {
  readonly size: number;
  /** RFC 6962 root over the stored lines, hex. */
  readonly root: string;
  /** Leaf hash of the last line, hex; null while empty. */
  readonly lastLeaf: string | null;
}

export interface EvidenceStore {
  /** Where the bytes lie. */
  readonly segments: SegmentStore;
  /** What is stored and fits all receipts. Of a damaged log: the largest part that is still sound. */
  state(origin: string): LogState;
  /** The sentence that says why nothing more is taken or receipted for this log; null for a sound one. */
  damage(origin: string): string | null;
  /** One at a time per log, in the order of the calls. */
  exclusive<T>(origin: string, work: () => Promise<T>): Promise<T>;
  /**
   * Takes over what is stored beyond what is known: after a write whose end was not seen. Within `exclusive`, before anything is
   * decided by `state`.
   *
   * @throws as SegmentStore.segments
   */
  settle(origin: string): Promise<void>;
  /**
   * Appends lines (without LF) at the end; call it within `exclusive`. When it returns they survive a power cut.
   *
   * @param retainUntil Unix seconds
   * @throws evidence_conflict where the result would contradict an earlier receipt; evidence_damaged; as SegmentStore.write
   */
  append(origin: string, lines: readonly Buffer[], retainUntil: number): Promise<LogState>;
  /** Stored lines `from` ≤ seq < `to`. */
  read(origin: string, from: number, to: number): Promise<Buffer[]>;
  /** The object that holds the last entry; null while the log is empty. */
  lastObject(origin: string): ObjectRow | null;
  /** Keeps lines that contradict stored ones beside the log. */
  keepConflict(origin: string, seq: number, line: Buffer, retainUntil: number): Promise<void>;
  /** The audit found entry `seq` and what follows changed or gone: nothing beyond is vouched for any more. */
  reportDamage(origin: string, seq: number, sentence: string): void;
  origins(): string[];
}

interface Log {
  range: CompactRange;
  lastLeaf: Buffer | null;
  /** All receipts, by rising size, and how many of them what is stored keeps. The others name entries that were lost here. */
  readonly promises: readonly SizeAndRoot[];
  kept: number;
  damage: string | null;
  /** What a damaged log still vouches for. */
  sound: LogState | null;
  /** A write ended without a certain answer. */
  unsettled: boolean;
  queue: Promise<unknown>;
}

export interface EvidenceStoreOptions {
  readonly segments: SegmentStore;
  readonly index: ObjectTable;
  readonly promisesOf: (origin: string) => SizeAndRoot[];
  /** Told of each log that is damaged, or shorter than its receipts. */
  readonly onFinding: (kind: 'evidence_damaged' | 'evidence_tail_missing', origin: string, sentence: string) => void;
  /** Logs that receipts name. */
  readonly knownOrigins?: readonly string[];
  /** Wall clock, Unix seconds. */
  readonly now: () => number;
  /** Retention of objects that are found without a record of it, Unix seconds. */
  readonly retainFound: () => number;
}

/** Logs of a bucket that are looked at together: each takes one answer of the store. A folder is read log by log. */
const LISTED_AT_ONCE = 16;

/**
 * Opens the store and checks every log against its receipts: one pass over all bytes of a folder, and over the index and what
 * is newer than it where the store itself keeps what it holds from being changed.
 */
export async function openEvidenceStore(o: EvidenceStoreOptions): Promise<EvidenceStore> {
  const { segments, index } = o;
  const logs = new Map<string, Log>();
  await segments.tidy();
  const stored = await segments.origins();
  const origins = [...new Set([...stored, ...index.origins(), ...(o.knownOrigins ?? [])])].sort();
  const atOnce = segments.locked ? LISTED_AT_ONCE : 1;
  for (let i = 0; i < origins.length; i += atOnce) {
    const part = origins.slice(i, i + atOnce);
    const opened = await Promise.all(part.map(async (origin) => [origin, await openLog(o, origin)] as const));
    for (const [origin, log] of opened) logs.set(origin, log);
  }
  for (const [origin, log] of logs) {
    if (log.damage !== null) o.onFinding('evidence_damaged', origin, log.damage);
    else if (log.kept < log.promises.length) {
      const sizes = `${log.range.size} of ${(log.promises.at(-1) as SizeAndRoot).size} entries`;
      o.onFinding('evidence_tail_missing', origin, `only ${sizes} that were receipted are stored`);
    }
  }
  const logOf = (origin: string): Log => {
    const known = logs.get(origin) ?? emptyLog([]);
    logs.set(origin, known);
    return known;
  };

  return {
    segments,
    state: (origin) => {
      const log = logOf(origin);
      return log.sound ?? stateOf(log);
    },
    damage: (origin) => logOf(origin).damage,
    exclusive: (origin, work) => {
      const log = logOf(origin);
      const result = log.queue.then(work);
      log.queue = result.catch(() => {});
      return result;
    },
    settle: async (origin) => {
      const log = logOf(origin);
      if (!log.unsettled || log.damage !== null) return;
      await catchUp(o, origin, log);
      log.unsettled = false;
    },
    append: async (origin, lines, retainUntil) => {
      const log = logOf(origin);
      if (log.damage !== null) throw new AgentError('evidence_damaged', log.damage, { place: origin });
      const first = log.range.size;
      const next = extended(origin, log, lines);
      let ref: SegmentRef;
      try {
        ref = await segments.write(origin, first, lines, retainUntil);
        index.put(rowOf(o, ref, next, joinLines(lines), retainUntil));
      } catch (error) {
        log.unsettled = true;
        throw error;
      }
      adopt(log, next);
      return stateOf(log);
    },
    read: async (origin, from, to) => {
      const lines: Buffer[] = [];
      for (const row of index.covering(origin, from, to)) {
        const all = await readLines(segments, refOfRow(row));
        lines.push(...all.slice(Math.max(0, from - row.first), to - row.first));
      }
      return lines;
    },
    lastObject: (origin) => index.before(origin, logOf(origin).range.size),
    keepConflict: (origin, seq, line, retainUntil) => segments.keepConflict(origin, seq, line, retainUntil),
    reportDamage: (origin, seq, sentence) => {
      const log = logOf(origin);
      // Known to be lost since the start: it is waited for, and nobody vouches for it.
      if (seq >= log.range.size) return;
      const row = index.before(origin, seq);
      const sound = row === null ? stateOf(emptyLog([])) : stateOf(logOfRow(row));
      if (log.sound !== null && log.sound.size <= sound.size) return;
      log.damage = sentence;
      log.sound = sound;
    },
    origins: () => [...logs.keys()].sort(),
  };
}

/** All lines of a stored log in order, also while a server writes to it. @throws evidence_damaged */
export async function* streamLog(segments: SegmentStore, origin: string): AsyncGenerator<Buffer> {
  let next = 0;
  for (const ref of await segments.segments(origin, 0)) {
    if (ref.first !== next) throw damaged(`entry ${next} is missing`, origin);
    for (const line of await readLines(segments, ref)) {
      yield line;
      next += 1;
    }
  }
}

/** @throws evidence_damaged where it does not hold what its name says */
async function readParsed(
  segments: SegmentStore,
  ref: SegmentRef,
): Promise<{ lines: Buffer[]; retainUntil: number | null }> {
  const { bytes, retainUntil } = await segments.read(ref);
  const lines = splitLines(bytes);
  if (lines === null) throw damaged('an object does not end with a line feed', ref.objectId);
  const promised = ref.last === null ? lines.length : ref.last - ref.first + 1;
  if (lines.length !== promised || lines.length === 0) {
    throw damaged('an object does not hold what its name says', ref.objectId);
  }
  return { lines, retainUntil };
}

const readLines = async (segments: SegmentStore, ref: SegmentRef): Promise<Buffer[]> =>
  (await readParsed(segments, ref)).lines;

async function openLog(o: EvidenceStoreOptions, origin: string): Promise<Log> {
  const promises = o.promisesOf(origin);
  const row = o.segments.locked ? o.index.last(origin) : null;
  if (row === null) {
    const log = emptyLog(promises);
    await catchUp(o, origin, log);
    return log;
  }
  const log = logOfRow(row, promises);
  if (!keepsItsReceipt(log)) {
    const before = o.index.before(origin, row.first);
    const earlier = before === null ? null : logOfRow(before, promises);
    log.damage = `the index names another root over ${log.range.size} entries than their receipt`;
    log.sound = stateOf(earlier !== null && keepsItsReceipt(earlier) ? earlier : emptyLog([]));
    return log;
  }
  await catchUp(o, origin, log);
  return log;
}

/** Whether the receipt over exactly what the log holds names its root; true where there is none. */
function keepsItsReceipt(log: Log): boolean {
  const promise = log.promises[log.kept - 1];
  return promise?.size !== log.range.size || promise.root === stateOf(log).root;
}

/** Takes over all objects after what is known. What does not fit makes the log damaged. */
async function catchUp(o: EvidenceStoreOptions, origin: string, log: Log): Promise<void> {
  let sound = stateOf(log);
  try {
    for (const ref of await o.segments.segments(origin, log.range.size)) {
      if (ref.first < log.range.size) throw damaged(`entry ${ref.first} is stored twice`, ref.objectId);
      if (ref.first > log.range.size) throw damaged(`entry ${log.range.size} is missing`, ref.objectId);
      const { lines, retainUntil } = await readParsed(o.segments, ref);
      const next = extended(origin, log, lines, (state) => (sound = state));
      const row = rowOf(o, ref, next, joinLines(lines), retainUntil ?? o.retainFound());
      const known = o.index.startingIn(origin, ref.first, ref.first + 1)[0];
      if (known?.sha256 !== row.sha256 || known.object_id !== row.object_id) o.index.put(row);
      adopt(log, next);
    }
  } catch (error) {
    if (!isAgentError(error)) throw error;
    if (error.code !== 'evidence_damaged' && error.code !== 'evidence_conflict') throw error;
    log.damage = error.message;
    log.sound = sound;
  }
}

type Extended = Pick<Log, 'range' | 'lastLeaf' | 'kept'>;

/**
 * The log with these lines behind it.
 *
 * @param onPromise told of each state that a receipt promised and that holds
 * @throws evidence_conflict where it would contradict a receipt
 */
function extended(
  origin: string,
  log: Log,
  lines: readonly Buffer[],
  onPromise: (state: LogState) => void = () => {},
): Extended {
  const range = log.range.clone();
  let { lastLeaf, kept } = log;
  for (const line of lines) {
    lastLeaf = leafHash(line);
    range.append(lastLeaf);
    const promise = log.promises[kept];
    if (promise?.size !== range.size) continue;
    if (promise.root !== range.root().toString('hex')) {
      throw new AgentError('evidence_conflict', `the first ${range.size} entries are not those that were receipted`, {
        place: origin,
      });
    }
    kept += 1;
    onPromise(stateOf({ range, lastLeaf }));
  }
  return { range, lastLeaf, kept };
}

function adopt(log: Log, next: Extended): void {
  log.range = next.range;
  log.lastLeaf = next.lastLeaf;
  log.kept = next.kept;
}

function rowOf(
  o: EvidenceStoreOptions,
  ref: SegmentRef,
  next: Extended,
  bytes: Buffer,
  retainUntil: number,
): ObjectRow {
  return {
    origin: ref.origin,
    first: ref.first,
    last: next.range.size - 1,
    object_id: ref.objectId,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    bytes: bytes.length,
    retain_until: retainUntil,
    stored_at: o.now(),
    range: Buffer.concat(next.range.hashes()).toString('hex'),
    last_leaf: next.lastLeaf?.toString('hex') ?? '',
  };
}

export const refOfRow = ({ origin, first, last, object_id: objectId }: ObjectRow): SegmentRef => ({
  origin,
  first,
  last,
  objectId,
});

const HASH_HEX = /.{64}/g;

function logOfRow(row: ObjectRow, promises: readonly SizeAndRoot[] = []): Log {
  const hashes = (row.range.match(HASH_HEX) ?? []).map((hex) => Buffer.from(hex, 'hex'));
  return {
    ...emptyLog(promises),
    kept: promises.filter(({ size }) => size <= row.last + 1).length,
    range: CompactRange.from(row.last + 1, hashes),
    lastLeaf: Buffer.from(row.last_leaf, 'hex'),
  };
}

function emptyLog(promises: readonly SizeAndRoot[]): Log {
  return {
    range: CompactRange.from(0, []),
    lastLeaf: null,
    promises,
    kept: 0,
    damage: null,
    sound: null,
    unsettled: false,
    queue: Promise.resolve(),
  };
}

function stateOf(log: Pick<Log, 'range' | 'lastLeaf'>): LogState {
  return {
    size: log.range.size,
    root: log.range.root().toString('hex'),
    lastLeaf: log.lastLeaf?.toString('hex') ?? null,
  };
}

const damaged = (sentence: string, place: string) => new AgentError('evidence_damaged', sentence, { place });
