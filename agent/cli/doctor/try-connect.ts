// Connects to each address by itself, without the race of "happy eyeballs": so it shows which way is broken.
import { connect } from 'node:net';

/** A working connection takes one round trip; a mobile line needs a second. */
const CONNECT_MS = 4_000;
/** More addresses than this are not tried. */
export const MAX_ADDRESSES = 6;

export interface Attempt {
  readonly address: string;
  /** `connected`, `timeout`, or the system's error name (`ECONNREFUSED`, `ENETUNREACH` …). */
  readonly outcome: string;
  readonly ms: number;
}

/** All at once; nothing is sent. Never rejects. */
export function tryConnect(addresses: readonly string[], port: number, signal: AbortSignal): Promise<Attempt[]> {
  return Promise.all(addresses.slice(0, MAX_ADDRESSES).map((address) => attempt(address, port, signal)));
}

function attempt(address: string, port: number, signal: AbortSignal): Promise<Attempt> {
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (outcome: string): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.removeAllListeners().on('error', () => undefined);
      socket.destroy();
      resolve({ address, outcome, ms: Math.round(performance.now() - startedMs) });
    };
    const onAbort = (): void => end('timeout');
    const timer = setTimeout(onAbort, CONNECT_MS);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) return onAbort();
    socket.once('connect', () => end('connected'));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? 'unknown'));
  });
}
