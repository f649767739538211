// `config check [FILE]`: every mistake in a configuration file at once.
import { EXIT } from '../errors/exit-codes.ts';
import { loadConfig } from '../config/load-config.ts';
import type { CliContext } from './deps.ts';
import { print } from './print.ts';

export function configCheck(context: CliContext, file: string | undefined): number {
  const { path, warnings } = loadConfig(file ?? context.configPath);
  print(context, 'config-check', { path, valid: true, warnings }, () => [
    `${path}: no mistakes`,
    ...warnings.map((warning) => `warning: ${warning}`),
  ]);
  return EXIT.ok;
}
