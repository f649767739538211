// The folder of one log: `<first>-<last>.jsonl` files of consecutive entries, each written once, synced, then read-only.
import { createReadStream, existsSync } from 'node:fs';
import { link, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError } from '../../agent/errors/agent-error.ts';

/** Zero-padded so that file names sort by entry. */
const DIGITS = 12;
const SEGMENT = /^([0-9]{12})-([0-9]{12})\.jsonl$/;
/** Files and folders are made with these modes: nobody writes to what is stored. */
const STORED_MODE = 0o444;
const DIR_MODE = 0o700;
/** Contradicting lines kept per log: enough to see what happened, too few to fill the disk. */
const MAX_CONFLICTS = 1_000;
const LF = 0x0a;
/** Prefix of a file that is not complete yet. */
const UNFINISHED = '.new-';

export interface SegmentName {
  readonly first: number;
  readonly last: number;
}

/** The folder of an origin. Origins hold no `_`, so no two of them share a folder. */
export const originFolder = (evidenceDir: string, origin: string): string =>
  join(evidenceDir, origin.replaceAll('/', '_'));

export const originOfFolder = (folder: string): string => folder.replaceAll('_', '/');

export const segmentFile = ({ first, last }: SegmentName): string =>
  `${String(first).padStart(DIGITS, '0')}-${String(last).padStart(DIGITS, '0')}.jsonl`;

/** Makes the folder of a log and syncs its parent. */
export async function makeOriginFolder(evidenceDir: string, origin: string): Promise<void> {
  await makeFolder(originFolder(evidenceDir, origin), evidenceDir);
}

/** Segments by rising first entry, none where there is no folder. Safe while another process writes. */
export async function listSegments(folder: string): Promise<SegmentName[]> {
  const segments: SegmentName[] = [];
  for (const name of existsSync(folder) ? await readdir(folder) : []) {
    const match = SEGMENT.exec(name);
    if (match !== null) segments.push({ first: Number(match[1]), last: Number(match[2]) });
  }
  return segments.sort((a, b) => a.first - b.first);
}

/** Removes what an interrupted write left behind. Only the server may, before it writes. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith(UNFINISHED)) await rm(join(folder, name), { force: true });
  }
}

/**
 * Stores lines (each without its LF) under their final name. When this returns, they survive a power cut.
 * A file of that name is never replaced.
 */
export async function writeSegment(folder: string, first: number, lines: readonly Buffer[]): Promise<string> {
  const name = segmentFile({ first, last: first + lines.length - 1 });
  await writeDurably(folder, name, lines);
  return name;
}

/** Keeps lines that contradict stored ones beside the log, out of its numbering; the same name once. */
export async function writeConflict(folder: string, name: string, lines: readonly Buffer[]): Promise<void> {
  const dir = join(folder, 'conflicts');
  await makeFolder(dir, folder);
  const kept = await readdir(dir);
  if (kept.includes(name) || kept.length >= MAX_CONFLICTS) return;
  await writeDurably(dir, name, lines);
}

/** All lines of a segment, without their LF. @throws evidence_damaged */
export async function readSegment(folder: string, segment: SegmentName): Promise<Buffer[]> {
  const place = join(folder, segmentFile(segment));
  const bytes = await readFile(place).catch((cause: unknown) => {
    throw damaged('a file cannot be read', place, cause);
  });
  const lines = splitLines(bytes);
  if (lines?.length !== segment.last - segment.first + 1)
    throw damaged('a file does not hold what its name says', place);
  return lines;
}

/** Streams the lines of a segment without holding it in memory. @throws evidence_damaged for a last line without LF */
export async function* streamSegment(folder: string, segment: SegmentName): AsyncGenerator<Buffer> {
  const place = join(folder, segmentFile(segment));
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(place) as AsyncIterable<Buffer>) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let from = 0;
      for (let end = bytes.indexOf(LF); end !== -1; end = bytes.indexOf(LF, from)) {
        yield bytes.subarray(from, end);
        from = end + 1;
      }
      rest = bytes.subarray(from);
    }
  } catch (cause) {
    throw damaged('a file cannot be read', place, cause);
  }
  if (rest.length > 0) throw damaged('a file does not end with a line feed', place);
}

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

async function writeDurably(folder: string, name: string, lines: readonly Buffer[]): Promise<void> {
  const temporary = join(folder, `${UNFINISHED}${name}`);
  await rm(temporary, { force: true });
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      const lf = Buffer.of(LF);
      await file.writeFile(Buffer.concat(lines.flatMap((line) => [line, lf])));
      await file.chmod(STORED_MODE);
      await file.sync();
    } finally {
      await file.close();
    }
    // Unlike rename, link refuses to replace what is there.
    await link(temporary, join(folder, name));
  } catch (cause) {
    throw new AgentError('evidence_unwritable', 'a file of evidence cannot be written', {
      place: join(folder, name),
      cause,
    });
  } finally {
    await rm(temporary, { force: true });
  }
  await syncDir(folder);
}

async function syncDir(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function makeFolder(dir: string, parent: string): Promise<void> {
  try {
    if ((await mkdir(dir, { recursive: true, mode: DIR_MODE })) !== undefined) await syncDir(parent);
  } catch (cause) {
    throw new AgentError('evidence_unwritable', 'a folder of evidence cannot be made', { place: dir, cause });
  }
}

const damaged = (sentence: string, place: string, cause?: unknown) =>
  new AgentError('evidence_damaged', sentence, { place, cause });
