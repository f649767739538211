// Writes what the modules give into nix/golden: for an appliance its units, other files below etc/, and in machine.json what is
// set of NixOS itself; for Central Command its unit. And the options into docs/options.md. Needs nix-instantiate, so it is no part of `npm run docs`; test/system/nix-module.test.ts fails when any
// of it is stale.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { evaluateCentral, evaluateModule, type Evaluated, type EvaluatedCentral } from './evaluate-module.ts';
import { replaceBetween, table } from './generated-doc.ts';

const repo = join(import.meta.dirname, '..');
export const GOLDEN_DIR = join(repo, 'nix/golden');
export const OPTIONS_DOC = join(repo, 'docs/options.md');

/** Every file below nix/golden, by its path there. */
export function readGolden(): Record<string, string> {
  const names = readdirSync(GOLDEN_DIR, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = names.map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(
    paths.map((path) => [path.slice(GOLDEN_DIR.length + 1), readFileSync(path, 'utf8')]).toSorted(),
  ) as Record<string, string>;
}

/** What nix/golden has to hold. */
export const goldenOf = ({ units, files, machine }: Evaluated, central: EvaluatedCentral): Record<string, string> => ({
  ...units,
  ...files,
  ...central.units,
  'machine.json': `${JSON.stringify(machine, null, 2)}\n`,
});

type Option = EvaluatedCentral['options'][number];

const shown = (option: Option): string => {
  if (option.required) return 'required';
  return option.default === null ? '–' : `\`${JSON.stringify(option.default)}\``;
};

const rows = (options: readonly Option[]): string[][] =>
  options.map((option) => [`\`${option.name}\``, shown(option), option.description]);

/** `document` with its tables of options brought up to date. */
export function optionsDoc(document: string, agent: readonly Option[], central: readonly Option[]): string {
  const head = ['option', 'default', 'meaning'];
  const first = replaceBetween(document, 'options', table(head, rows(agent)));
  return replaceBetween(first, 'central-options', table(head, rows(central)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const evaluated = evaluateModule({ appliance: true });
  const central = evaluateCentral();
  const golden = goldenOf(evaluated, central);
  for (const name of Object.keys(readGolden())) if (!(name in golden)) rmSync(join(GOLDEN_DIR, name));
  for (const [name, text] of Object.entries(golden)) {
    mkdirSync(dirname(join(GOLDEN_DIR, name)), { recursive: true });
    writeFileSync(join(GOLDEN_DIR, name), text);
  }
  writeFileSync(OPTIONS_DOC, optionsDoc(readFileSync(OPTIONS_DOC, 'utf8'), evaluated.options, central.options));
}
