// Writes the table of keys into docs/configuration.md. `--check` fails when it is stale.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '../agent/config/config-error.ts';
import { KEYS, WINDOW_FIELDS } from '../agent/config/keys.ts';
import { parseConfig } from '../agent/config/parse-config.ts';
import { replaceBetween, table, writeOrCheck } from './generated-doc.ts';

const FILE = new URL('../docs/configuration.md', import.meta.url);

const shown = (value: unknown): string =>
  value === null ? '–' : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;

/** `document` with its table of keys brought up to date. */
export function configurationDoc(document: string): string {
  const keys = Object.entries(KEYS).map(([key, info]) => [
    `\`${key}\``,
    shown(info.default),
    info.accepts,
    info.meaning,
  ]);
  const fields = Object.entries(WINDOW_FIELDS).map(([field, info]) => [`\`${field}\``, info.accepts]);
  const example = /## What a mistake looks like\s+```yaml\n([^`]*)```/.exec(document)?.[1];
  const parsed = parseConfig(example ?? '', '/etc/compliance-agent/config.yaml');
  const error = new ConfigError('', parsed.ok ? [] : parsed.problems);
  return replaceBetween(
    replaceBetween(document, 'mistake', ['```', error.describe(), '```'].join('\n')),
    'keys',
    [
      table(['key', 'default', 'accepts', 'meaning'], keys),
      '',
      'Inside `maintenance_window`, all four required:',
      '',
      table(['key', 'accepts'], fields),
    ].join('\n'),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeOrCheck(FILE, configurationDoc(readFileSync(FILE, 'utf8')), process.argv);
}
