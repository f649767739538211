// Where the secret of an output or a language model lies.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonContext } from './context.ts';

/** systemd's folder for credentials where there is one, else a folder of the state directory. */
export function credentialPath({ config }: Pick<DaemonContext, 'config'>, name: string): string {
  const systemd = process.env['CREDENTIALS_DIRECTORY'];
  const fromSystemd = systemd === undefined || systemd === '' ? null : join(systemd, name);
  return fromSystemd !== null && existsSync(fromSystemd) ? fromSystemd : join(config.state_dir, 'credentials', name);
}
