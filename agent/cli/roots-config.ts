// The configuration as root's own oneshots go by it: only from a file that nobody but root could have written.
import { lstatSync, realpathSync } from 'node:fs';
import type { Config } from '../config/keys.ts';
import { loadConfig } from '../config/load-config.ts';
import { AgentError } from '../errors/agent-error.ts';
import { assertRootsWay } from '../system/handed-over.ts';

const OTHERS_WRITE = 0o022;

/** @throws helper_surroundings_unsafe, and what loadConfig throws */
export function loadRootsConfig(path: string): Config {
  const real = realpathSync(path);
  assertRootsWay(real);
  const { uid, mode } = lstatSync(real);
  if (uid !== 0 || (mode & OTHERS_WRITE) !== 0) {
    throw new AgentError('helper_surroundings_unsafe', 'others than root could have written the configuration', {
      place: real,
    });
  }
  return loadConfig(path).config;
}
