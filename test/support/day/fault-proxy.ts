// A TCP proxy in front of Central Command that can be away, silent, or lead somewhere else. Always at the same port.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

export type Mode =
  /** Bytes go to `port` of this machine, and back. */
  | { readonly to: number }
  /** Connections are taken, and nothing ever comes back. */
  | 'silent'
  /** Connections are reset as soon as the first bytes came. */
  | 'reset'
  /** Nothing listens. */
  | 'away';

export interface FaultProxy {
  readonly port: number;
  /** Open connections are cut, except where `keep` says that they fall silent in their place: a peer that vanished. */
  set(mode: Mode, o?: { readonly keep: boolean }): Promise<void>;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';

export async function startFaultProxy(): Promise<FaultProxy> {
  let mode: Mode = 'silent';
  const pairs = new Map<Socket, Socket | null>();
  const onClient = (client: Socket): void => {
    pairs.set(client, null);
    client.on('error', () => client.destroy());
    client.on('close', () => {
      pairs.get(client)?.destroy();
      pairs.delete(client);
    });
    if (mode === 'silent') return void client.resume();
    if (mode === 'reset') return void client.once('data', () => client.resetAndDestroy());
    if (mode === 'away') return void client.destroy();
    const upstream = connect(mode.to, HOST);
    pairs.set(client, upstream);
    upstream.on('error', () => client.destroy());
    upstream.on('close', () => pairs.get(client) === upstream && client.destroy());
    client.pipe(upstream).pipe(client);
  };
  const listen = async (port: number): Promise<Server> => {
    const server = createServer(onClient).listen(port, HOST);
    await once(server, 'listening');
    return server;
  };
  let server: Server | null = await listen(0);
  const { port } = server.address() as AddressInfo;

  const cut = (keep: boolean): void => {
    for (const [client, upstream] of pairs) {
      if (!keep) client.destroy();
      else if (upstream !== null) {
        pairs.set(client, null);
        client.unpipe(upstream);
        upstream.unpipe(client);
        upstream.destroy();
        client.resume();
      }
    }
  };
  const stop = async (): Promise<void> => {
    const stopping = server;
    server = null;
    if (stopping === null) return;
    stopping.close();
    await once(stopping, 'close');
  };
  return {
    port,
    async set(next, o = { keep: false }) {
      mode = next;
      cut(o.keep);
      if (mode === 'away') await stop();
      else server ??= await listen(port);
    },
    async close() {
      cut(false);
      await stop();
    },
  };
}
