// Copies the parts that Windows scripts share into them: what stands between `#region NAME` and `#endregion` is the text of
// runbooks/windows/NAME.ps1. A script stands alone, since its digest is what people signed. `--check` changes nothing and
// names the scripts that differ.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const WINDOWS = fileURLToPath(new URL('../runbooks/windows/', import.meta.url));
const REGION = /^#region ([a-z-]+)\n(.*?)^#endregion\n/gms;

/** `script` with the shared parts that it names; a region of another name stays as it is. */
export function withSharedParts(script: string, root = WINDOWS): string {
  return script.replaceAll(REGION, (whole: string, name: string) => {
    const path = join(root, `${name}.ps1`);
    return existsSync(path) ? `#region ${name}\n${readFileSync(path, 'utf8')}#endregion\n` : whole;
  });
}

/** Paths of all scripts of all Windows runbooks, without the shared parts. */
export function windowsScripts(root = WINDOWS): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ps1') && dirname(path) !== '.')
    .map((path) => join(root, path))
    .toSorted();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const check = process.argv.includes('--check');
  for (const path of windowsScripts()) {
    const text = readFileSync(path, 'utf8');
    const wanted = withSharedParts(text);
    if (wanted === text) continue;
    process.stdout.write(`${check ? 'differs' : 'rewritten'}: ${path}\n`);
    if (check) process.exitCode = 1;
    else writeFileSync(path, wanted);
  }
}
