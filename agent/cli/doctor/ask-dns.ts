// Asks DNS servers directly over UDP, each name of each server on its own, so that it shows which one answers what; and
// resolves a name as the daemon does, through the C library, in a child process that can be ended when it hangs.
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import type { Exec } from '../../system/ports.ts';
import { canonicalAddress, decodeAnswer, encodeQuery, type DnsAnswer, type RecordType } from './dns-message.ts';
import type { NameServer } from './name-servers.ts';

/** A server in the same building answers in milliseconds; glibc waits 5 s. */
const TRY_MS = 1_500;
const TRIES = 2;
const LOOKUP_DEADLINE_MS = 6_000;
const LOOKUP_CHILD = 'look-up-child.ts';

/** `silent`: nothing came. `unreachable`: the system refused to send, or the server's machine refused to take it. */
export type ServerReply = DnsAnswer | 'silent' | 'unreachable';

/** One question to one server. Never rejects. */
export async function askServer(
  server: NameServer,
  name: string,
  type: RecordType,
  signal: AbortSignal,
): Promise<ServerReply> {
  const id = randomInt(0x1_0000);
  const query = encodeQuery(id, name, type);
  if (query === null) return 'unreachable';
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(server.address.split('%')[0] ?? '') ? 'udp6' : 'udp4');
    let left = TRIES;
    let timer: NodeJS.Timeout | undefined;
    const end = (reply: ServerReply): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.removeAllListeners().on('error', () => undefined);
      socket.close();
      resolve(reply);
    };
    const onAbort = (): void => end('silent');
    const send = (): void => {
      if (left-- === 0) return end('silent');
      socket.send(query, (error) => {
        if (error !== null) end('unreachable');
      });
      timer = setTimeout(send, TRY_MS);
    };
    if (signal.aborted) return end('silent');
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', () => end('unreachable'));
    socket.on('message', (message) => {
      const answer = decodeAnswer(message, id, name, type);
      if (answer !== null) end(answer);
    });
    // Connected: answers of strangers do not arrive, and a closed port is heard of at once.
    const onConnect = (error?: Error | null): void => (error ? end('unreachable') : send());
    socket.connect(server.port, server.address, onConnect);
  });
}

/** What the C library says: addresses in the order of trying, or an error name such as `ENOTFOUND`; `timeout`, `no_child`. */
export type SystemLookup =
  { readonly ok: true; readonly addresses: readonly string[] } | { readonly ok: false; readonly why: string };

export async function systemLookup(exec: Exec, hostname: string, signal: AbortSignal): Promise<SystemLookup> {
  const argv = [process.execPath, join(import.meta.dirname, LOOKUP_CHILD), hostname] as const;
  const { status, code, stdout } = await exec.run(argv, { deadlineMs: LOOKUP_DEADLINE_MS, signal });
  if (status === 'timeout' || status === 'aborted') return { ok: false, why: 'timeout' };
  if (status !== 'exited' || code !== 0) return { ok: false, why: 'no_child' };
  const said = JSON.parse(stdout.toString('utf8')) as { addresses?: string[]; why?: string };
  if (said.addresses === undefined) return { ok: false, why: said.why ?? 'unknown' };
  return { ok: true, addresses: [...new Set(said.addresses.map(canonicalAddress))] };
}
