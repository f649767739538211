// `config show`: the values in force and where each comes from.
import { EXIT } from '../errors/exit-codes.ts';
import { loadConfig } from '../config/load-config.ts';
import { showConfig } from '../config/show-config.ts';
import type { CliContext } from './deps.ts';
import { print } from './print.ts';
import { columns, painter } from './style.ts';

export function configShow(context: CliContext): number {
  const loaded = loadConfig(context.configPath);
  const rows = showConfig(loaded);
  const paint = painter(context.stdout, context.env);
  print(context, 'config-show', { path: loaded.path, warnings: loaded.warnings, values: rows }, () => [
    ...columns(
      rows.map((row) => [
        row.key,
        typeof row.value === 'string' ? row.value : JSON.stringify(row.value),
        row.origin === 'default' ? 'default' : `${loaded.path}:${row.line ?? 0}`,
      ]),
      (text, column) => (column === 2 ? paint('dim', text) : text),
    ),
    ...loaded.warnings.map((warning) => `warning: ${warning}`),
  ]);
  return EXIT.ok;
}
