// The database, looked at by child processes with deadlines; nothing in it or beside it changes.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CODES, type ErrorCode } from '../../errors/codes.ts';
import { DATABASE_FILE } from '../../store/open-store.ts';
import type { StoreLook } from '../../store/look-at-store.ts';
import type { Exec } from '../../system/ports.ts';

const CHILD = 'database-child.ts';
const LOOK_DEADLINE_MS = 5_000;
/** SQLite checks about 300 MiB a second here; a file that takes longer is left to the daemon's daily check. */
export const CHECK_DEADLINE_MS = 12_000;

export interface StoreFailure {
  readonly code: ErrorCode | 'timeout';
  readonly sentence: string;
  readonly remedy: string;
}

export type Read<T> = { readonly ok: true; readonly value: T } | ({ readonly ok: false } & StoreFailure);

export const readIdentity = (exec: Exec, dir: string, signal: AbortSignal): Promise<Read<StoreLook>> =>
  ask<StoreLook>(exec, 'identity', dir, LOOK_DEADLINE_MS, signal);

/** `ok`, or SQLite's first finding. */
export const readCheck = (exec: Exec, dir: string, signal: AbortSignal): Promise<Read<string>> =>
  ask<string>(exec, 'check', dir, CHECK_DEADLINE_MS, signal);

async function ask<T>(
  exec: Exec,
  what: 'identity' | 'check',
  dir: string,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<Read<T>> {
  if (!existsSync(join(dir, DATABASE_FILE))) {
    return {
      ok: false,
      code: 'store_missing',
      sentence: 'there is no database yet',
      remedy: CODES.store_missing.remedy,
    };
  }
  // node:sqlite says on stderr that it is young; nobody reads that here.
  const argv = [process.execPath, '--no-warnings', join(import.meta.dirname, CHILD), what, dir] as const;
  const { status, code, stdout, stderr } = await exec.run(argv, { deadlineMs, signal });
  if (status === 'timeout' || status === 'aborted') {
    return { ok: false, code: 'timeout', sentence: `it was not read within ${deadlineMs / 1_000} s`, remedy: '' };
  }
  if (status !== 'exited' || code !== 0) {
    const sentence = `its reader ended with ${code ?? status}: ${stderr.subarray(0, 200).toString('utf8').trim()}`;
    return { ok: false, code: 'internal', sentence, remedy: 'report it' };
  }
  const said = JSON.parse(stdout.toString('utf8')) as { look?: T; check?: T; error?: StoreFailure };
  if (said.error !== undefined) return { ok: false, ...said.error };
  return { ok: true, value: (said.look ?? said.check) as T };
}
