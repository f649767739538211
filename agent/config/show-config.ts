// The effective values and where each comes from, for `config show`.
import { KEYS, type ConfigKey } from './keys.ts';
import type { LoadedConfig } from './load-config.ts';

export interface ShownKey {
  readonly key: ConfigKey;
  readonly value: unknown;
  readonly origin: 'default' | 'file';
  /** 1-based line of the file, null for a default. */
  readonly line: number | null;
}

/** Every key in the order of the table. No value is a secret: secrets have no place in this file. */
export function showConfig(loaded: Pick<LoadedConfig, 'config' | 'positions'>): ShownKey[] {
  return (Object.keys(KEYS) as ConfigKey[]).map((key) => {
    const position = loaded.positions.get(key);
    return {
      key,
      value: loaded.config[key],
      origin: position === undefined ? 'default' : 'file',
      line: position?.line ?? null,
    };
  });
}
