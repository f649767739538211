// A TCP proxy that the test opens and shuts: for a server that goes away, hangs, or whose answers are lost. For tests only.
import { connect } from 'node:net';
import { startTcpServer, type RunningServer } from './tls-server.ts';

/**
 * `open` passes everything; `shut` resets connections; `hang` takes them and passes nothing; `mute` passes what the client sends
 * and nothing back.
 */
export type Gate = 'open' | 'shut' | 'hang' | 'mute';

export interface GateProxy extends RunningServer {
  /** For all bytes from now on; connections that are open are reset. */
  set(gate: Gate): void;
}

export async function startGateProxy(targetPort: number): Promise<GateProxy> {
  let gate: Gate = 'open';
  const server = await startTcpServer((client) => {
    if (gate === 'shut') {
      client.resetAndDestroy();
      return;
    }
    if (gate === 'hang') {
      client.resume();
      return;
    }
    const back = gate === 'open';
    const upstream = connect(targetPort, '127.0.0.1');
    client.on('data', (data) => upstream.write(data));
    client.on('close', () => upstream.destroy());
    upstream.on('data', (data) => {
      if (back) client.write(data);
    });
    upstream.on('close', () => client.destroy());
    upstream.on('error', () => client.destroy());
  });
  return {
    ...server,
    set: (next) => {
      gate = next;
      server.reset();
    },
  };
}
