// Writes the units that nix/module.nix gives into nix/golden, and its options into docs/appliance.md. Needs
// nix-instantiate, so it is no part of `npm run docs`; test/system/nix-module.test.ts fails when either is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { evaluateModule, type Evaluated } from './evaluate-module.ts';
import { replaceBetween, table } from './generated-doc.ts';

const repo = join(import.meta.dirname, '..');
export const GOLDEN_DIR = join(repo, 'nix/golden');
export const APPLIANCE_DOC = join(repo, 'docs/appliance.md');

const shown = (option: Evaluated['options'][number]): string => {
  if (option.required) return 'required';
  return option.default === null ? '–' : `\`${JSON.stringify(option.default)}\``;
};

/** `document` with its table of options brought up to date. */
export function applianceDoc(document: string, options: Evaluated['options']): string {
  const rows = options.map((option) => [`\`${option.name}\``, shown(option), option.description]);
  return replaceBetween(document, 'options', table(['option', 'default', 'meaning'], rows));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { units, options } = evaluateModule();
  for (const [name, text] of Object.entries(units)) writeFileSync(join(GOLDEN_DIR, name), text);
  writeFileSync(APPLIANCE_DOC, applianceDoc(readFileSync(APPLIANCE_DOC, 'utf8'), options));
}
