// The wall clock of a process, as a file that says it in Unix seconds: libfaketime shows the process nothing else.
import { closeSync, existsSync, openSync, writeSync } from 'node:fs';

/** Where Debian puts it. */
const LIBRARY = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketime.so.1`;

/** Why no process can be shown another wall clock here, or null. */
export const whyNoWallFile = (): string | null => (existsSync(LIBRARY) ? null : 'needs libfaketime');

export interface WallFile {
  /** Always of the same length, so that no reader sees half of it. */
  set(unixSeconds: number): void;
  close(): void;
}

export function openWallFile(path: string): WallFile {
  const fd = openSync(path, existsSync(path) ? 'r+' : 'w+');
  return {
    set: (unixSeconds) => void writeSync(fd, `${String(Math.floor(unixSeconds)).padStart(10, '0')}\n`, 0),
    close: () => closeSync(fd),
  };
}

/**
 * The environment of a process that lives by such a file: the wall clock stands still between two writes; timers, the monotonic
 * clock and times of files are the real ones.
 */
export const livesByFile = (path: string): Record<string, string> => ({
  ...shifted,
  FAKETIME_FMT: '%s',
  FAKETIME_TIMESTAMP_FILE: path,
});

/** The same with a wall clock that runs, at a distance that the file says (`+3600`, `-94608000`; seconds). */
export const livesShiftedBy = (path: string): Record<string, string> => ({ ...shifted, FAKETIME_TIMESTAMP_FILE: path });

const shifted = {
  LD_PRELOAD: LIBRARY,
  FAKETIME_NO_CACHE: '1',
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
  NO_FAKE_STAT: '1',
  TZ: 'UTC',
};
