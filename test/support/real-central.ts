// A served Central Command (central-process.ts) as an appliance's surroundings: sticks, confirmations, outages, backups. For
// tests and benchmarks only.
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeCentral, type RunningCentral, type TestCentral } from './central-process.ts';

export const SITE = 'north';

export interface RealCentral extends TestCentral {
  /** The same after each start. */
  readonly url: string;
  /** Writes a stick with a new token. @returns its folder */
  stick(): Promise<string>;
  confirm(fingerprint: string, applianceId: string): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Copies the server's folder as a backup does (server stopped), or puts such a copy back. */
  backup(): void;
  restore(): void;
}

/** Made and served; `remove` ends it. */
export async function startRealCentral(): Promise<RealCentral> {
  const central = await makeCentral();
  const options = ['--claim-interval', '1', '--log-level', 'error'];
  let server: RunningCentral = await central.serve(...options);
  const { url } = server;
  const backupDir = join(central.dir, 'backup');
  let sticks = 0;
  return {
    ...central,
    url,
    async stick() {
      const dir = join(central.dir, `stick-${++sticks}`);
      await central.json('usb', 'write', dir, '--site', SITE);
      return dir;
    },
    async confirm(fingerprint, applianceId) {
      await central.json('appliance', 'confirm', fingerprint, '--appliance-id', applianceId, '--keys', central.keysDir);
    },
    stop: () => server.stop(),
    async start() {
      server = await central.serve(...options, '--listen', url.replace('https://', ''));
    },
    backup: () => cpSync(central.dataDir, backupDir, { recursive: true }),
    restore() {
      rmSync(central.dataDir, { recursive: true });
      cpSync(backupDir, central.dataDir, { recursive: true });
    },
  };
}
