// Reads how the agent itself runs: what it listens on, its sandbox, its secrets' files, its database.
import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { readFileLimited, secretFileProblem } from '../system/files.ts';
import { readListeningSockets } from './listeners.ts';
import type { Listener } from './proc-net.ts';
import { opensDebuggerOnSignal, parseCoreLimit, parseProcessStatus } from './proc-status.ts';
import { Unreadable, type Probe, type ProbeContext } from './probe.ts';

const MAX_PROC_BYTES = 256 * 1024;

export interface SelfFacts {
  /** What this process listens on: its socket inodes joined with the kernel's tables. */
  readonly listeners: readonly Listener[];
  readonly runsAsRoot: boolean;
  readonly noNewPrivileges: boolean;
  readonly seccompFilter: boolean;
  /** True where any capability is in effect. */
  readonly hasCapabilities: boolean;
  /** True where a core dump could be written (its hard limit is above zero). */
  readonly coreDumps: boolean;
  /** True where SIGUSR1 would open a debugger port. */
  readonly debuggerSignal: boolean;
  readonly keyFiles: number;
  readonly keyFilesMissing: number;
  /** Readable or writable by others, of another owner, or no regular file. */
  readonly keyFilesExposed: number;
  readonly database: 'ok' | 'damaged' | 'not_read';
  /** Towards Central Command, Unix seconds; `none` before enrolment. */
  readonly certificate: { readonly notBefore: number; readonly notAfter: number } | 'none' | 'not_read';
}

/** Inodes of the sockets that the process holds. One that is closed while we look is not held any more. */
function socketInodes(fdDir: string): Set<string> {
  const inodes = new Set<string>();
  for (const fd of readdirSync(fdDir)) {
    let link: string;
    try {
      link = readlinkSync(join(fdDir, fd));
    } catch {
      continue;
    }
    const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  return inodes;
}

function keyFileState(path: string, ownUid: number): 'ok' | 'missing' | 'exposed' {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 'missing';
  const place = { ownUid, isSystemdCredential: path.startsWith('/run/credentials/') };
  return stat.isFile() && secretFileProblem(stat, place) === null ? 'ok' : 'exposed';
}

function readProc(context: ProbeContext, name: string): string {
  return readFileLimited(join(context.procDir ?? '/proc', String(context.pid), name), MAX_PROC_BYTES).toString(
    'latin1',
  );
}

function databaseState(said: string | null | undefined): SelfFacts['database'] {
  if (said === null || said === undefined) return 'not_read';
  return said === 'ok' ? 'ok' : 'damaged';
}

export const selfProbe: Probe<SelfFacts> = {
  name: 'self',
  async read(context) {
    const status = parseProcessStatus(readProc(context, 'status'));
    const coreLimit = parseCoreLimit(readProc(context, 'limits'));
    if (status === null || coreLimit === null) {
      throw new Unreadable('unparsable', '/proc/PID/status or limits is not what proc(5) documents');
    }
    const processDir = join(context.procDir ?? '/proc', String(context.pid));
    const inodes = socketInodes(join(processDir, 'fd'));
    const listeners = readListeningSockets(join(processDir, 'net')).filter((socket) => inodes.has(socket.inode));
    const keys = context.keyFiles.map((path) => keyFileState(path, status.effectiveUid));
    return {
      listeners: listeners.map(({ protocol, scope, port }) => ({ protocol, scope, port })),
      runsAsRoot: status.effectiveUid === 0,
      noNewPrivileges: status.noNewPrivileges,
      seccompFilter: status.seccomp === 2,
      hasCapabilities: status.capabilities !== 0n,
      coreDumps: coreLimit > 0,
      debuggerSignal: opensDebuggerOnSignal(status),
      keyFiles: keys.length,
      keyFilesMissing: keys.filter((k) => k === 'missing').length,
      keyFilesExposed: keys.filter((k) => k === 'exposed').length,
      database: databaseState(context.databaseCheck),
      certificate: context.certificate === undefined ? 'not_read' : (context.certificate ?? 'none'),
    };
  },
};
