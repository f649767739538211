// Stores what appliances upload: one append-only folder per log, its Merkle range in memory, checked against every receipt
// that was ever given when the server starts.
import { mkdir, readdir } from 'node:fs/promises';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { CompactRange, leafHash } from '../../agent/wire/merkle.ts';
import {
  listSegments,
  makeOriginFolder,
  originFolder,
  originOfFolder,
  readSegment,
  removeLeftovers,
  segmentFile,
  streamSegment,
  writeConflict,
  writeSegment,
  type SegmentName,
} from './segment-folder.ts';

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
  /** What is stored and fits all receipts. Of a damaged log: the largest receipt that it still fits. */
  state(origin: string): LogState;
  /** The sentence that says why nothing more is taken or receipted for this log; null for a sound one. */
  damage(origin: string): string | null;
  /** One at a time per log, in the order of the calls. */
  exclusive<T>(origin: string, work: () => Promise<T>): Promise<T>;
  /**
   * Appends lines (without LF) at the end; call it within `exclusive`. When it returns they survive a power cut.
   * `objectId` names the file that holds them.
   *
   * @throws evidence_conflict where the result would contradict an earlier receipt; evidence_damaged
   */
  append(origin: string, lines: readonly Buffer[]): Promise<{ state: LogState; objectId: string }>;
  /** Stored lines `from` ≤ seq < `to`. */
  read(origin: string, from: number, to: number): Promise<Buffer[]>;
  stream(origin: string): AsyncGenerator<Buffer>;
  /** Keeps lines that contradict stored ones under conflicts/. */
  keepConflict(origin: string, seq: number, line: Buffer): Promise<void>;
  origins(): string[];
}

interface Log {
  readonly range: CompactRange;
  lastLeaf: Buffer | null;
  /** First entries of the segments, rising. */
  readonly firsts: number[];
  /** Receipts beyond what is stored: entries that were lost here and must come back as they were. */
  owed: SizeAndRoot[];
  damage: string | null;
  /** What a damaged log still vouches for. */
  sound: LogState | null;
  queue: Promise<unknown>;
}

/**
 * Opens the store in `dir` and checks every log against `promisesOf` it: one pass over all files.
 *
 * @param onFinding told of each log that is damaged, or shorter than its receipts
 */
export async function openEvidenceStore(
  dir: string,
  promisesOf: (origin: string) => SizeAndRoot[],
  onFinding: (kind: 'evidence_damaged' | 'evidence_tail_missing', origin: string, sentence: string) => void,
  knownOrigins: readonly string[] = [],
): Promise<EvidenceStore> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const logs = new Map<string, Log>();
  const folders = (await readdir(dir)).map(originOfFolder);
  for (const origin of new Set([...folders, ...knownOrigins])) {
    const log = folders.includes(origin)
      ? await checkLog(dir, origin, promisesOf(origin))
      : emptyLog(promisesOf(origin));
    logs.set(origin, log);
    if (log.damage !== null) onFinding('evidence_damaged', origin, log.damage);
    else if (log.owed.length > 0) {
      const sizes = `${log.range.size} of ${(log.owed.at(-1) as SizeAndRoot).size} entries`;
      onFinding('evidence_tail_missing', origin, `only ${sizes} that were receipted are stored`);
    }
  }
  const logOf = (origin: string): Log => {
    const known = logs.get(origin) ?? emptyLog([]);
    logs.set(origin, known);
    return known;
  };
  const folderOf = (origin: string) => originFolder(dir, origin);

  return {
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
    append: async (origin, lines) => {
      const log = logOf(origin);
      if (log.damage !== null) throw new AgentError('evidence_damaged', log.damage, { place: origin });
      const first = log.range.size;
      const range = log.range.clone();
      const leaves = lines.map((line) => leafHash(line));
      for (const leaf of leaves) {
        range.append(leaf);
        refuseBrokenPromise(origin, range, log.owed);
      }
      await makeOriginFolder(dir, origin);
      const objectId = await writeSegment(folderOf(origin), first, lines);
      for (const leaf of leaves) log.range.append(leaf);
      log.lastLeaf = leaves.at(-1) ?? log.lastLeaf;
      log.firsts.push(first);
      log.owed = log.owed.filter((promise) => promise.size > log.range.size);
      return { state: stateOf(log), objectId: `${origin.replaceAll('/', '_')}/${objectId}` };
    },
    read: async (origin, from, to) => {
      const log = logOf(origin);
      const lines: Buffer[] = [];
      for (const segment of segmentsBetween(log, from, to)) {
        const all = await readSegment(folderOf(origin), segment);
        lines.push(...all.slice(Math.max(0, from - segment.first), to - segment.first));
      }
      return lines;
    },
    stream: (origin) => streamLog(folderOf(origin)),
    keepConflict: (origin, seq, line) => {
      const name = `${segmentFile({ first: seq, last: seq })}.${leafHash(line).toString('hex').slice(0, 16)}`;
      return writeConflict(folderOf(origin), name, [line]);
    },
    origins: () => [...logs.keys()].sort(),
  };
}

/** All lines of a stored log in order, also while a server writes to it. @throws evidence_damaged */
export async function* streamLog(folder: string): AsyncGenerator<Buffer> {
  let next = 0;
  for (const segment of await listSegments(folder)) {
    if (segment.first !== next || segment.last < segment.first) throw damaged(`entry ${next} is missing`, folder);
    for await (const line of streamSegment(folder, segment)) {
      yield line;
      next += 1;
    }
    if (next !== segment.last + 1) throw damaged(`${segmentFile(segment)} does not hold what its name says`, folder);
  }
}

async function checkLog(dir: string, origin: string, promises: readonly SizeAndRoot[]): Promise<Log> {
  const folder = originFolder(dir, origin);
  const log = emptyLog(promises);
  await removeLeftovers(folder);
  let sound: LogState = stateOf(log);
  let kept = 0;
  try {
    for await (const line of streamLog(folder)) {
      const leaf = leafHash(line);
      log.range.append(leaf);
      log.lastLeaf = leaf;
      const promise = promises[kept];
      if (promise?.size !== log.range.size) continue;
      refuseBrokenPromise(origin, log.range, [promise]);
      kept += 1;
      sound = stateOf(log);
    }
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { ...log, damage: error.message, sound };
  }
  for (const { first } of await listSegments(folder)) log.firsts.push(first);
  log.owed = promises.slice(kept);
  return log;
}

function emptyLog(promises: readonly SizeAndRoot[]): Log {
  return {
    range: CompactRange.from(0, []),
    lastLeaf: null,
    firsts: [],
    owed: [...promises],
    damage: null,
    sound: null,
    queue: Promise.resolve(),
  };
}

function stateOf(log: Log): LogState {
  return {
    size: log.range.size,
    root: log.range.root().toString('hex'),
    lastLeaf: log.lastLeaf?.toString('hex') ?? null,
  };
}

function refuseBrokenPromise(origin: string, range: CompactRange, owed: readonly SizeAndRoot[]): void {
  const promise = owed.find(({ size }) => size === range.size);
  if (promise !== undefined && promise.root !== range.root().toString('hex')) {
    throw new AgentError('evidence_conflict', `the first ${range.size} entries are not those that were receipted`, {
      place: origin,
    });
  }
}

function segmentsBetween(log: Log, from: number, to: number): SegmentName[] {
  const segments: SegmentName[] = [];
  for (let i = lastAtOrBefore(log.firsts, from); i < log.firsts.length; i++) {
    const first = log.firsts[i] as number;
    if (first >= to) break;
    segments.push({ first, last: (log.firsts[i + 1] ?? log.range.size) - 1 });
  }
  return segments;
}

/** Index of the last element ≤ `value`; 0 when there is none. */
function lastAtOrBefore(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

const damaged = (sentence: string, place: string) => new AgentError('evidence_damaged', sentence, { place });
