// Reads whether the declared protection against malware runs, from which program, and how old its knowledge is.
import { createHash } from 'node:crypto';
import { createReadStream, type BigIntStats } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import { readFileLimited } from '../system/files.ts';
import { DATABASE_HEADER_BYTES, exclusionsOf, parseDatabaseHeader, type DatabaseHeader } from './clamav.ts';
import { Unreadable, type Probe, type ProbeContext } from './probe.ts';
import { readRestarts, readUnit, type Restarts, type UnitState } from './systemd-unit.ts';
import type { AvEdrWatch } from './watch.ts';

/** The largest endpoint agents have some hundred megabytes. */
const MAX_BINARY_BYTES = 1024 * 1024 * 1024;
const MAX_CONFIG_BYTES = 1024 * 1024;
const READ_CHUNK_BYTES = 1024 * 1024;

export interface AvEdrFacts {
  readonly loadState: string;
  readonly activeState: string;
  /** Null where systemd does not say. */
  readonly restarts: Restarts | null;
  /** SHA-256 of the declared program as it lies on the disk; null where there is none. */
  readonly binarySha256: string | null;
  /** What the main process runs: the declared program, another file, or a file that was replaced or removed since. */
  readonly running: 'declared' | 'other' | 'nothing';
  /** The newest daily database; null where there is none, or where none is declared. */
  readonly signatures: DatabaseHeader | null;
  /** When the declared scan ended last and whether it succeeded; null where it never ran since the boot. */
  readonly scan: { readonly endedAt: number; readonly succeeded: boolean } | null;
  /** Lines of the configuration that keep something from being scanned. */
  readonly exclusions: readonly string[];
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException | null)?.code === 'ENOENT';

async function statOrNull(path: string): Promise<BigIntStats | null> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

async function digestOf(path: string, context: ProbeContext): Promise<string | null> {
  const found = await statOrNull(path);
  if (found === null) return null;
  if (!found.isFile()) throw new Unreadable('unparsable', `${path} is not a regular file`);
  if (found.size > BigInt(MAX_BINARY_BYTES)) throw new Unreadable('too_much_output', `${path} is larger than 1 GiB`);
  const hash = createHash('sha256');
  const signals = [AbortSignal.timeout(context.deadlineMs), ...(context.signal === undefined ? [] : [context.signal])];
  const stream = createReadStream(path, { highWaterMark: READ_CHUNK_BYTES, signal: AbortSignal.any(signals) });
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Compares files, not names: what runs may have been replaced on the disk since it was started. */
async function readRunning(unit: UnitState, watch: AvEdrWatch, procDir: string): Promise<AvEdrFacts['running']> {
  if (unit.mainPid === null) return 'nothing';
  const [running, declared] = await Promise.all([
    statOrNull(join(procDir, String(unit.mainPid), 'exe')),
    statOrNull(watch.binary),
  ]);
  if (running === null && procDir === '/proc' && (await statOrNull('/proc/1')) === null) {
    throw new Unreadable('denied', 'processes of others cannot be seen from here (hidepid of proc(5))');
  }
  if (running === null) return 'nothing';
  return declared !== null && running.dev === declared.dev && running.ino === declared.ino ? 'declared' : 'other';
}

async function readHeader(path: string): Promise<DatabaseHeader> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(DATABASE_HEADER_BYTES), 0, DATABASE_HEADER_BYTES, 0);
    const header = parseDatabaseHeader(buffer.subarray(0, bytesRead));
    if (header === null) throw new Unreadable('unparsable', `${path} has no header of a ClamAV database`);
    return header;
  } finally {
    await file.close();
  }
}

/** `daily` is the database that changes every day; `main` and `bytecode` stay the same for years. */
async function readSignatures(dir: string): Promise<DatabaseHeader | null> {
  const names = (await readdir(dir)).filter((name) => /^daily\.(?:cvd|cld)$/.test(name));
  const headers = await Promise.all(names.map((name) => readHeader(join(dir, name))));
  return headers.toSorted((a, b) => b.builtAt - a.builtAt)[0] ?? null;
}

async function readScan(context: ProbeContext, unit: string): Promise<AvEdrFacts['scan']> {
  const scan = await readUnit(context, unit);
  return scan.exitedAt === null ? null : { endedAt: scan.exitedAt, succeeded: scan.result === 'success' };
}

function readExclusions(path: string): string[] {
  try {
    return exclusionsOf(readFileLimited(path, MAX_CONFIG_BYTES).toString('utf8'));
  } catch (error) {
    // Without a configuration there is no service either; the check says that.
    if (error instanceof AgentError && error.code === 'file_missing') return [];
    throw error;
  }
}

export const avEdrProbe: Probe<AvEdrFacts> = {
  name: 'av_edr',
  asRoot: { everyS: 900 },
  async read(context) {
    const watch = context.watch?.avEdr;
    if (watch === undefined)
      throw new Unreadable('not_declared', 'the baseline declares no protection against malware');
    const unit = await readUnit(context, watch.unit);
    const [restarts, binarySha256, running, signatures, scan] = await Promise.all([
      readRestarts(context, watch.unit),
      digestOf(watch.binary, context),
      readRunning(unit, watch, context.procDir ?? '/proc'),
      watch.databaseDir === null ? null : readSignatures(watch.databaseDir),
      watch.scanUnit === null ? null : readScan(context, watch.scanUnit),
    ]);
    return {
      loadState: unit.loadState,
      activeState: unit.activeState,
      restarts,
      binarySha256,
      running,
      signatures,
      scan,
      exclusions: watch.configFile === null ? [] : readExclusions(watch.configFile),
    };
  },
};
