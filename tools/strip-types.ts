// Makes the JavaScript that an appliance runs: types stripped once at build, since stripping them at each start costs memory
// for as long as the process lives. `node tools/strip-types.ts OUT` writes OUT/agent, OUT/runbooks, OUT/docs/verify and OUT/package.json.
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';

const repo = join(import.meta.dirname, '..');
/** Relative imports end in `.ts` in the source and in `.js` in what is built. */
const RELATIVE_IMPORT = /((?:from|import)\s*\(?\s*['"]\.{1,2}\/[^'"]+)\.ts(['"])/g;
/** File names in code: a child process is started by its path. */
const SIBLING_FILE = /(['"][a-z-]+-child)\.ts(['"])/g;

/** V8 keeps a source in one byte per character, or in two where a single one is beyond Latin-1. */
const BEYOND_LATIN1 = /[\u0100-\uffff]/g;
/** What the stripper puts in place of a wide character in a type: white space, and outside of texts. */
const WIDE_BLANK = '\u2002';
const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/**
 * Types replaced by spaces, so that lines in stack traces stay those of the source. Characters beyond Latin-1 become escapes,
 * which mean the same in texts, templates and regular expressions, and nothing in comments.
 */
export function stripModule(source: string): string {
  const [hashbang = ''] = /^#!.*\n/.exec(source) ?? [];
  const stripped = stripTypeScriptTypes(source.slice(hashbang.length), { mode: 'strip' }).replaceAll(WIDE_BLANK, ' ');
  return (
    hashbang +
    stripped.replace(RELATIVE_IMPORT, '$1.js$2').replace(SIBLING_FILE, '$1.js$2').replace(BEYOND_LATIN1, escaped)
  );
}

/** Runs unsigned wishes of whoever sits at the keyboard; an appliance is built without it. */
const DEVELOPER = join('agent', 'cli', 'developer');

/** @param folders of the repository, with all that lies in them */
export function stripTree(out: string, folders: readonly string[] = ['agent']): void {
  const entries = folders.flatMap((folder) =>
    readdirSync(join(repo, folder), { recursive: true, withFileTypes: true }),
  );
  for (const entry of entries) {
    if (!entry.isFile() || !entry.name.endsWith('.ts') || entry.parentPath.endsWith(DEVELOPER)) continue;
    const from = join(entry.parentPath, entry.name);
    const to = join(out, from.slice(repo.length + 1).replace(/\.ts$/, '.js'));
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, stripModule(readFileSync(from, 'utf8')));
  }
  cpSync(join(repo, 'runbooks'), join(out, 'runbooks'), { recursive: true });
  // `evidence export` puts the verifier for auditors into every bundle.
  cpSync(join(repo, 'docs', 'verify'), join(out, 'docs', 'verify'), { recursive: true });
  cpSync(join(repo, 'package.json'), join(out, 'package.json'));
}

if (import.meta.main) {
  const [out] = process.argv.slice(2);
  if (out === undefined) {
    process.stderr.write('usage: node tools/strip-types.ts OUT\n');
    process.exitCode = 2;
  } else stripTree(out);
}
