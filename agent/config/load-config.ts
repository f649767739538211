// The configuration file on disk: read whole or refused, with everything that is wrong said at once.
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { AgentError } from '../errors/agent-error.ts';
import { ConfigError } from './config-error.ts';
import type { Config, ConfigKey } from './keys.ts';
import { parseConfig, type Position } from './parse-config.ts';

export const DEFAULT_CONFIG_PATH = '/etc/compliance-agent/config.yaml';
/** Far more than all keys with comments need. */
export const MAX_CONFIG_BYTES = 65_536;

export interface LoadedConfig {
  readonly config: Config;
  /** Plain sentences about what is odd and yet works. */
  readonly warnings: readonly string[];
  readonly path: string;
  readonly positions: ReadonlyMap<ConfigKey, Position>;
}

function readText(path: string): { text: string; mode: number } {
  let fd: number;
  try {
    // Not blocking, so that a named pipe in its place cannot hang the start.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new AgentError('config_not_found', 'there is no configuration file', { place: path, cause });
    }
    throw new AgentError('config_unreadable', 'the configuration file cannot be opened', {
      place: path,
      details: { errno: code ?? null },
      cause,
    });
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile())
      throw new AgentError('config_unreadable', 'the configuration is not a plain file', { place: path });
    if (stat.size > MAX_CONFIG_BYTES) {
      throw new AgentError('config_unreadable', `the configuration is larger than ${MAX_CONFIG_BYTES} bytes`, {
        place: path,
      });
    }
    const bytes = readFileSync(fd);
    try {
      return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), mode: stat.mode };
    } catch (cause) {
      throw new AgentError('config_unreadable', 'the configuration is not UTF-8 text', { place: path, cause });
    }
  } finally {
    closeSync(fd);
  }
}

/**
 * Reads and judges the configuration at `path`.
 * @throws {AgentError} config_not_found, config_unreadable
 * @throws {ConfigError} config_invalid, with every problem
 */
export function loadConfig(path: string): LoadedConfig {
  const { text, mode } = readText(path);
  const parsed = parseConfig(text, path);
  if (!parsed.ok) throw new ConfigError(path, parsed.problems);
  const warnings = [...parsed.warnings];
  if ((mode & 0o022) !== 0) warnings.push(`${path} can be changed by more users than its owner: chmod 644 it`);
  return { config: parsed.config, warnings, path, positions: parsed.positions };
}
