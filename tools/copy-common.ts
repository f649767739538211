// Copies runbooks/windows/common.ps1 into every script of runbooks/windows/, between its marks. `--check` changes nothing and
// names the scripts that differ.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const WINDOWS = fileURLToPath(new URL('../runbooks/windows/', import.meta.url));
const BEGIN = '#region common\n';
const END = '#endregion\n';

/** `script` with the common part that it has to have; null where it has no marks to put it between. */
export function withCommonPart(script: string, common: string): string | null {
  const begin = script.indexOf(BEGIN);
  const end = script.indexOf(END);
  if (begin === -1 || end < begin) return null;
  return script.slice(0, begin + BEGIN.length) + common + script.slice(end);
}

/** Paths of all scripts of all Windows runbooks. */
export function windowsScripts(root = WINDOWS): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ps1') && path !== 'common.ps1')
    .map((path) => join(root, path))
    .toSorted();
}

export function commonPart(root = WINDOWS): string {
  return readFileSync(join(root, 'common.ps1'), 'utf8');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const check = process.argv.includes('--check');
  for (const path of windowsScripts()) {
    const text = readFileSync(path, 'utf8');
    const wanted = withCommonPart(text, commonPart());
    if (wanted === text) continue;
    process.stdout.write(`${wanted === null ? 'has no marks' : check ? 'differs' : 'rewritten'}: ${path}\n`);
    if (wanted === null || check) process.exitCode = 1;
    else writeFileSync(path, wanted);
  }
}
