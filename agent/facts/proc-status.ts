// Reads /proc/PID/status and /proc/PID/limits (proc(5)). Pure.

export interface ProcessStatus {
  readonly effectiveUid: number;
  readonly noNewPrivileges: boolean;
  /** 0 off, 1 strict, 2 filter. */
  readonly seccomp: number;
  /** Capabilities in effect, as a bit mask. */
  readonly capabilities: bigint;
  /** Signals with a handler, as a bit mask. */
  readonly caughtSignals: bigint;
}

/** linux/capability.h */
export const CAP_NET_ADMIN = 12n;
/** asm-generic/signal.h; the mask counts from signal 1. */
const SIGUSR1 = 10n;

function field(text: string, name: string): string | null {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? null;
}

/** Null where a field is missing. */
export function parseProcessStatus(text: string): ProcessStatus | null {
  const uid = field(text, 'Uid')?.split(/\s+/)[1];
  const noNewPrivileges = field(text, 'NoNewPrivs');
  const seccomp = field(text, 'Seccomp');
  const capabilities = field(text, 'CapEff');
  const caught = field(text, 'SigCgt');
  if (!uid || noNewPrivileges === null || seccomp === null || !capabilities || !caught) return null;
  if (!/^[0-9a-f]+$/.test(capabilities) || !/^[0-9a-f]+$/.test(caught)) return null;
  return {
    effectiveUid: Number(uid),
    noNewPrivileges: noNewPrivileges === '1',
    seccomp: Number(seccomp),
    capabilities: BigInt(`0x${capabilities}`),
    caughtSignals: BigInt(`0x${caught}`),
  };
}

export function hasCapability(status: ProcessStatus, capability: bigint): boolean {
  return ((status.capabilities >> capability) & 1n) === 1n;
}

/** True where SIGUSR1 has a handler: in Node that handler opens a debugger port. */
export function opensDebuggerOnSignal(status: ProcessStatus): boolean {
  return ((status.caughtSignals >> (SIGUSR1 - 1n)) & 1n) === 1n;
}

/** Hard limit of core dumps; `unlimited` is Infinity. Null where the line is missing. */
export function parseCoreLimit(text: string): number | null {
  const hard = /^Max core file size\s+\S+\s+(unlimited|\d+)\s/m.exec(text)?.[1];
  return hard === undefined ? null : hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
}
