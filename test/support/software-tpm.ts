// A TPM 2.0 in software (swtpm), spoken to over TCP on this machine: kernels of test machines have none.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:net';
import { until } from '../../tools/demo/process.ts';

export interface SoftwareTpm {
  /** For systemd's programs: which TPM to use. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Two ports that follow each other and are free: the commands' and, as the library expects it, the control channel's. */
async function freePorts(): Promise<number> {
  const free = (port: number): Promise<number | null> =>
    new Promise((done) => {
      const server = createServer();
      server.once('error', () => done(null));
      server.listen(port, '127.0.0.1', () => {
        const found = (server.address() as AddressInfo).port;
        server.close(() => done(found));
      });
    });
  for (;;) {
    const port = await free(0);
    if (port !== null && port < 65_535 && (await free(port + 1)) !== null) return port;
  }
}

export async function softwareTpm(): Promise<SoftwareTpm> {
  const dir = mkdtempSync(join(tmpdir(), 'swtpm-'));
  const port = await freePorts();
  const child = spawn(
    'swtpm',
    [
      ...['socket', '--tpm2', '--tpmstate', `dir=${dir}`, '--flags', 'not-need-init,startup-clear'],
      ...['--server', `type=tcp,port=${port},bindaddr=127.0.0.1,disconnect`],
      ...['--ctrl', `type=tcp,port=${port + 1},bindaddr=127.0.0.1`],
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  const listens = (): Promise<true | null> =>
    new Promise((done) => {
      const socket = connect(port + 1, '127.0.0.1');
      socket.once('connect', () => (socket.destroy(), done(true)));
      socket.once('error', () => done(null));
    });
  await until('the TPM listens', listens, 20_000);
  return {
    env: { SYSTEMD_TPM2_DEVICE: `swtpm:host=127.0.0.1,port=${port}` },
    async close() {
      child.kill('SIGTERM');
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
