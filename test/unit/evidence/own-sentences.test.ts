import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { scrubSentence } from '../../../agent/evidence/scrub-sentence.ts';

const REPOSITORY = join(import.meta.dirname, '../../..');
/** Rooms whose sentences go into entries. */
const ROOMS = ['checks', 'daemon', 'guards', 'healing', 'orders', 'uplink', 'trust', 'evidence', 'execution'];
/** Text behind `sentence:`, `sentence =`, `remedy:` … in one of the three quotes, up to its end. */
const LITERAL =
  /\b(?:[sS]entence|remedy)\b\s*(?::|=|\()\s*(?:'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`|"((?:[^"\\\n]|\\.)*)")/g;

const literals = ROOMS.flatMap((room) =>
  globSync(`agent/${room}/**/*.ts`, { cwd: REPOSITORY }).flatMap((file) =>
    [...readFileSync(join(REPOSITORY, file), 'utf8').matchAll(LITERAL)].map((match) => ({
      file,
      text: filledIn(match[1] ?? match[2] ?? match[3] ?? ''),
    })),
  ),
);

/** A template with its values in place: a whole sentence at its start before a capital, an ending after a letter, else a number. */
function filledIn(template: string): string {
  return template
    .replace(/^\$\{[^}]*\}+(?= [A-Z])/, 'It is 7.')
    .replaceAll(/(?<=[a-z])\$\{[^}]*\}+/g, '')
    .replaceAll(/\$\{[^}]*\}+/g, '7')
    .replaceAll("\\'", "'");
}

it('every sentence that our rooms write passes the scrubber unharmed', () => {
  expect(literals.length).toBeGreaterThan(40);
  const harmed = literals.flatMap(({ file, text }) => {
    const kept = scrubSentence(text, () => undefined);
    return kept === text || text === '' ? [] : [`${file}: ${text} → ${kept}`];
  });
  expect(harmed).toEqual([]);
});
