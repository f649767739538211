// The folder of evidence: for each log `<first>-<last>.jsonl` files of consecutive entries, each written once, synced, then
// read-only, and immutable where that was asked for and can be had.
import { existsSync } from 'node:fs';
import { chmod, link, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { leafHash } from '../../agent/wire/merkle.ts';
import { makeAppendOnly, makeImmutable, whyNotImmutable } from './immutable-attribute.ts';
import {
  folderOfOrigin,
  joinLines,
  MAX_CONFLICTS,
  originOfFolder,
  padded,
  type Listed,
  type SegmentRef,
  type SegmentStore,
} from './segment-store.ts';

const SEGMENT = /^([0-9]{12})-([0-9]{12})\.jsonl$/;
/** Files and folders are made with these modes: nobody writes to what is stored. */
const STORED_MODE = 0o444;
const DIR_MODE = 0o700;
const WRITE_BITS = 0o222;
const CONFLICTS = 'conflicts';
/** Where files grow before they get their name: a folder that only takes new names cannot hold them. */
const INCOMING = '.incoming';
/** Prefix of incomplete files of versions that had no such folder. */
const UNFINISHED = '.new-';

const segmentFile = (first: number, last: number): string => `${padded(first)}-${padded(last)}.jsonl`;

export interface FolderOptions {
  /** Make files immutable and folders append-only. */
  readonly immutable?: boolean;
  /** Only read: nothing is made or tried. */
  readonly readOnly?: boolean;
}

/** Opens the folder and makes it where it is missing. @throws evidence_unwritable */
export async function openSegmentFolder(dir: string, o: FolderOptions = {}): Promise<SegmentStore> {
  const incoming = join(dir, INCOMING);
  const wanted = o.immutable === true && o.readOnly !== true;
  if (o.readOnly !== true) {
    await makeFolder(dir, join(dir, '..'));
    await makeFolder(incoming, dir);
  }
  const obstacle = wanted ? await whyNotImmutable(dir) : null;
  const immutable = wanted && obstacle === null;
  const folderOf = (origin: string): string => join(dir, folderOfOrigin(origin));
  const pathOf = (ref: SegmentRef): string => join(folderOf(ref.origin), basename(ref.objectId));
  const ready = new Set<string>();

  /** Makes the folder of a log, or the one of its conflicts. */
  const prepare = async (folder: string, parent: string): Promise<void> => {
    if (ready.has(folder)) return;
    await makeFolder(folder, parent);
    if (immutable) await protect(() => makeAppendOnly(folder), folder);
    ready.add(folder);
  };

  const writeDurably = async (folder: string, name: string, lines: readonly Buffer[]): Promise<void> => {
    const temporary = join(incoming, `${basename(folder)}.${name}`);
    const final = join(folder, name);
    try {
      await rm(temporary, { force: true });
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(joinLines(lines));
        await file.chmod(STORED_MODE);
        await file.sync();
      } finally {
        await file.close();
      }
      // Unlike rename, link refuses to replace what is there.
      await link(temporary, final);
      await rm(temporary, { force: true });
      await syncDir(folder);
    } catch (cause) {
      await rm(temporary, { force: true }).catch(() => {});
      throw new AgentError('evidence_unwritable', 'a file of evidence cannot be written', { place: final, cause });
    }
    if (immutable) await protect(() => makeImmutable([final]), final);
  };

  const refsOf = async (origin: string): Promise<{ refs: SegmentRef[]; strangers: string[] }> => {
    const folder = folderOf(origin);
    const refs: SegmentRef[] = [];
    const strangers: string[] = [];
    const names = await (existsSync(folder) ? readdir(folder) : []);
    for (const name of names.sort()) {
      const match = SEGMENT.exec(name);
      if (match === null) {
        if (name !== CONFLICTS) strangers.push(name);
        continue;
      }
      const objectId = `${folderOfOrigin(origin)}/${name}`;
      refs.push({ origin, first: Number(match[1]), last: Number(match[2]), objectId });
    }
    return { refs, strangers };
  };

  return {
    kind: 'files',
    locked: false,
    protection: protectionOf(o.immutable === true, obstacle),
    origins: async () => {
      const names = existsSync(dir) ? await readdir(dir) : [];
      return names
        .filter((name) => !name.startsWith('.'))
        .map(originOfFolder)
        .sort();
    },
    segments: async (origin, from) => {
      const refs = (await refsOf(origin)).refs.filter(({ first }) => first >= from);
      // A killed writer may have left a name that is not synced, or a file without its attribute.
      if (o.readOnly !== true && refs.length > 0) await syncDir(folderOf(origin));
      if (immutable) await protect(() => makeImmutable(refs.map(pathOf)), folderOf(origin));
      return oldestOf(refs).map(({ hidden: _hidden, others: _others, ...ref }) => ref);
    },
    write: async (origin, first, lines) => {
      const name = segmentFile(first, first + lines.length - 1);
      await prepare(folderOf(origin), dir);
      await writeDurably(folderOf(origin), name, lines);
      return { origin, first, last: first + lines.length - 1, objectId: `${folderOfOrigin(origin)}/${name}` };
    },
    read: async (ref) => {
      const place = pathOf(ref);
      try {
        const { mode } = await stat(place);
        const weakness = (mode & WRITE_BITS) === 0 ? null : `the file is writable (0${(mode & 0o777).toString(8)})`;
        return { bytes: await readFile(place), weakness, retainUntil: null };
      } catch (cause) {
        throw new AgentError('evidence_damaged', 'a file cannot be read', { place, cause });
      }
    },
    keepConflict: async (origin, seq, line) => {
      const dirOfLog = folderOf(origin);
      const kept = join(dirOfLog, CONFLICTS);
      const name = `${segmentFile(seq, seq)}.${leafHash(line).toString('hex').slice(0, 16)}`;
      await prepare(dirOfLog, dir);
      await prepare(kept, dirOfLog);
      const names = await readdir(kept);
      if (names.includes(name) || names.length >= MAX_CONFLICTS) return;
      await writeDurably(kept, name, [line]);
    },
    conflicts: async (origin) => {
      const kept = join(folderOf(origin), CONFLICTS);
      return existsSync(kept) ? (await readdir(kept)).length : 0;
    },
    inventory: async (origin, from, limit) => {
      const { refs, strangers } = await refsOf(origin);
      const all = oldestOf(refs.filter(({ first }) => first >= from));
      const next = all[limit]?.first ?? null;
      return { segments: all.slice(0, limit), strangers: from === 0 ? strangers : [], next };
    },
    tidy: async () => {
      for (const name of await readdir(incoming)) await rm(join(incoming, name), { force: true });
      for (const folder of await readdir(dir)) {
        if (folder.startsWith('.')) continue;
        for (const name of await readdir(join(dir, folder)).catch(() => [])) {
          if (name.startsWith(UNFINISHED)) await rm(join(dir, folder, name), { force: true });
        }
      }
    },
    close: () => {},
  };
}

/** By first entry; of several with the same one the shorter comes first, since only a stranger makes a second. */
function oldestOf(refs: readonly SegmentRef[]): Listed[] {
  const sorted = refs.toSorted((a, b) => a.first - b.first || (a.last ?? 0) - (b.last ?? 0));
  const listed: (Listed & { others: SegmentRef[] })[] = [];
  for (const ref of sorted) {
    const before = listed.at(-1);
    if (before?.first === ref.first) before.others.push(ref);
    else listed.push({ ...ref, hidden: false, others: [] });
  }
  return listed;
}

function protectionOf(wanted: boolean, obstacle: string | null): string {
  if (!wanted) return 'read-only files (0444); the immutable attribute was not asked for';
  return obstacle === null
    ? 'read-only, immutable files in append-only folders'
    : `read-only files (0444); not immutable: ${obstacle}`;
}

/** What was stored stays stored when the attribute cannot be set, but it must not be receipted as protected. */
async function protect(set: () => Promise<void>, place: string): Promise<void> {
  try {
    await set();
  } catch (cause) {
    throw new AgentError('evidence_unwritable', 'a stored file cannot be made immutable', { place, cause });
  }
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
    if ((await mkdir(dir, { recursive: true, mode: DIR_MODE })) === undefined) return;
    await chmod(dir, DIR_MODE);
    await syncDir(parent);
  } catch (cause) {
    throw new AgentError('evidence_unwritable', 'a folder of evidence cannot be made', { place: dir, cause });
  }
}
