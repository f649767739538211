import { describe, it, expect } from 'vitest';
import { readFileSync } from 'node:fs';
import { KEYS } from '../../../agent/config/keys.ts';
import { parseConfig } from '../../../agent/config/parse-config.ts';
import { CODES } from '../../../agent/errors/codes.ts';
import { EXIT } from '../../../agent/errors/exit-codes.ts';
import { replaceBetween, table } from '../../../tools/generated-doc.ts';
import { configurationDoc } from '../../../tools/make-configuration-doc.ts';
import { errorsDoc } from '../../../tools/make-errors-doc.ts';

const doc = (name: string) => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');

describe('docs/errors.md', () => {
  it('is generated from the table of error codes and is not stale', () => {
    expect(doc('errors.md')).toBe(errorsDoc());
  });

  it('has one row for every code and every exit code', () => {
    const text = errorsDoc();
    for (const code of Object.keys(CODES)) expect(text.split(`| \`${code}\` |`)).toHaveLength(2);
    for (const exit of Object.values(EXIT)) expect(text).toContain(`| ${exit} | `);
  });
});

describe('docs/configuration.md', () => {
  it('is generated from the table of keys and is not stale', () => {
    const text = doc('configuration.md');
    expect(configurationDoc(text)).toBe(text);
  });

  it('comes with an example file that is valid and sets every key', () => {
    const parsed = parseConfig(doc('config.example.yaml'), 'config.example.yaml');
    expect(parsed.ok ? [...parsed.positions.keys()].toSorted() : parsed.problems).toEqual(Object.keys(KEYS).toSorted());
  });
});

describe('the document generator', () => {
  it('keeps bars and line ends inside a table cell', () => {
    expect(table(['a'], [['x|y\nz']])).toContain('\n| a |\n| --- |\n| x\\|y z |\n');
  });

  it('refuses a document without its markers', () => {
    expect(() => replaceBetween('text', 'keys', 'x')).toThrow(/lacks the markers/);
    expect(() => replaceBetween('<!-- /keys --> <!-- keys -->', 'keys', 'x')).toThrow(/lacks the markers/);
  });
});
