// `run`: the daemon in the foreground, for the service manager.
import { loadConfig } from '../config/load-config.ts';
import type { CliContext } from './deps.ts';

export async function run(context: CliContext): Promise<number> {
  return context.startDaemon(loadConfig(context.configPath));
}
