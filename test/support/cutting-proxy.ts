// A TCP proxy that can lose answers: what the client sent arrives, what comes back does not. For tests only.
import { connect } from 'node:net';
import { startTcpServer, type RunningServer } from './tls-server.ts';

export interface CuttingProxy extends RunningServer {
  /** The next bytes from the server are dropped and their connection to the client is reset. */
  cutNextAnswer(): void;
  /** How many answers were lost. */
  cuts(): number;
}

export async function startCuttingProxy(targetPort: number): Promise<CuttingProxy> {
  let armed = false;
  let cuts = 0;
  const server = await startTcpServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1');
    client.on('data', (data) => upstream.write(data));
    client.on('close', () => upstream.destroy());
    upstream.on('data', (data) => {
      if (!armed) {
        client.write(data);
        return;
      }
      armed = false;
      cuts += 1;
      client.resetAndDestroy();
    });
    upstream.on('close', () => client.destroy());
    upstream.on('error', () => client.destroy());
  });
  return {
    ...server,
    cutNextAnswer: () => {
      armed = true;
    },
    cuts: () => cuts,
  };
}
