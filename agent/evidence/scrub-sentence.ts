// Sentences are written by us, but numbers and names from a system are put into them. Each word must have a shape that
// our own sentences use; what has none is replaced, neighbours together, by REMOVED. Pure.
import { FORBIDDEN, SHAPES } from './scrub-rules.ts';
import { CODES } from '../errors/codes.ts';
import { PROPER_WORDS } from './sentence-words.ts';

export const REMOVED = '[removed]';
export type Count = (rule: string, by?: number) => void;

/** Shapes of single words, punctuation around them taken off. Part of the policy's digest. */
export const WORD_SHAPES = {
  plain: "^[a-z]{1,24}(?:[’'][a-z]{1,3})?$",
  joined: '^[a-z][a-z0-9]{0,24}(?:[_-][a-z0-9]{1,24}){1,6}$',
  number: '^[+-]?[0-9]{1,20}(?:[.,:][0-9]{1,20})*(?:e-?[0-9]{1,2})?(?:%|[a-zµ]{1,3}|[KMGT]i?B)?$',
  edition: '^v[0-9]{1,5}$',
  range: '^[0-9]{1,5}[-–][0-9]{1,5}$',
  ratio: '^[0-9]{1,15}/[0-9]{1,15}$',
  moment: '^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]{5,15}(?:Z|[+-][0-9]{2}:[0-9]{2}))?$',
  hex: '^[0-9a-f]{8,64}$',
  control: '^[0-9]{3}\\.[0-9]{1,4}(?:\\([A-Za-z0-9]{1,4}\\))*$',
  runbook: '^RB(?:-[A-Z]{2,12}){2}-[0-9]{3}$',
  capability: '^CAP_[A-Z]{2,12}(?:_[A-Z]{2,12})*$',
  advisory: '^(?:CVE-[0-9]{4}-[0-9]{4,7}|KB[0-9]{6,8}|DSA-[0-9]{4,5}(?:-[0-9])?)$',
  system_path: '^/(?:(?:boot|dev|efi|etc|nix|opt|proc|run|sys|tmp|usr|var)(?:/[a-z][a-z0-9-]{0,24}){0,2})?/?$',
  uuid: SHAPES.uuid,
  version: SHAPES.version,
  unit: '^[a-z][a-z0-9@-]{0,48}\\.(?:service|timer|socket|mount|target|path)$',
  port: '^(?:tcp|udp)6?[/:][0-9]{1,5}$',
} as const;

const shapes = Object.values(WORD_SHAPES).map((pattern) => new RegExp(pattern, 'u'));
const forbidden = Object.entries(FORBIDDEN).map(([rule, pattern]) => [rule, new RegExp(pattern, 'giu')] as const);
/** One pass that says no for nearly every text. */
const anyForbidden = new RegExp(Object.values(FORBIDDEN).join('|'), 'iu');
const proper = new Set(PROPER_WORDS);
/** Fixed texts of the code table; nothing is put into them. */
export const OWN_SENTENCES: readonly string[] = Object.values(CODES).flatMap(({ when, remedy }) => [when, remedy]);
const own = new Set<string>(OWN_SENTENCES);
/** Within `number` of the shapes. */
const NUMBER = /^[0-9]{1,20}$/;
/** What stands around a word, what a word without letters is, and how a sentence may begin. Part of the policy's digest. */
export const SENTENCE_MARKS = {
  leading: /^["'“‘([{<`≥≤≈=+]+(?=.)/u,
  trailing: /(?<=.)["'”’`.,;:!?%…]+$/u,
  trailing_with_brackets: /(?<=.)["'”’)\]}>`.,;:!?%…]+$/u,
  no_letters: /^[^\p{L}\p{N}@\\/]*$/u,
  capitalised: /^[A-Z][a-z]{0,24}(?:-[a-z]{1,24})*$/u,
  ends_sentence: /[.:!?]["'”’)]*$/u,
} as const;

/** The sentence with everything that could name a person, a file or a secret taken out. Never empty. */
export function scrubSentence(sentence: string, count: Count): string {
  if (own.has(sentence)) return sentence;
  const words = removeForbidden(sentence, count).split(' ');
  const kept: string[] = [];
  words.forEach((word, i) => {
    const opens = i === 0 || SENTENCE_MARKS.ends_sentence.test(words[i - 1] ?? '');
    if (word === REMOVED || allowed(word, opens, words[i + 1])) kept.push(word);
    else {
      count('unlisted_word');
      if (kept.at(-1) !== REMOVED) kept.push(REMOVED);
    }
  });
  return kept.join(' ') || REMOVED;
}

/** Replaces what matches one of the FORBIDDEN patterns. */
export function removeForbidden(text: string, count: Count): string {
  if (!anyForbidden.test(text)) return text;
  let rest = text;
  for (const [rule, pattern] of forbidden) {
    rest = rest.replace(pattern, () => {
      count(rule);
      return REMOVED;
    });
  }
  return rest;
}

/** Name of the first FORBIDDEN pattern that the text matches, or null. */
export function forbiddenIn(text: string): string | null {
  if (!anyForbidden.test(text)) return null;
  for (const [rule, pattern] of forbidden) {
    pattern.lastIndex = 0;
    if (pattern.test(text)) return rule;
  }
  return null;
}

function allowed(word: string, opensSentence: boolean, next: string | undefined): boolean {
  if (fitsShape(word)) return true;
  // "Disk is full": the first word may be capitalised, unless a second capital makes it look like a person's name.
  const opens = opensSentence && coresOf(word).some((core) => SENTENCE_MARKS.capitalised.test(core));
  return opens && !(next !== undefined && looksLikeName(next));
}

/** Answers for words that were asked before: our sentences use few of them, again and again. */
const remembered = new Map<string, boolean>();
const MAX_REMEMBERED = 2_000;

function fitsShape(word: string): boolean {
  // Most words that were never seen before are numbers; remembering them would only drive out the others.
  if (NUMBER.test(word)) return true;
  const known = remembered.get(word);
  if (known !== undefined) return known;
  const fits =
    SENTENCE_MARKS.no_letters.test(word) ||
    coresOf(word).some((core) => proper.has(core.replace(/[’']s$/u, '')) || shapes.some((shape) => shape.test(core)));
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  remembered.set(word, fits);
  return fits;
}

/** The word without the punctuation around it; a closing bracket may belong to it or not. */
function coresOf(word: string): string[] {
  const start = word.replace(SENTENCE_MARKS.leading, '');
  return [start.replace(SENTENCE_MARKS.trailing, ''), start.replace(SENTENCE_MARKS.trailing_with_brackets, '')];
}

function looksLikeName(word: string): boolean {
  return coresOf(word).every((core) => /^\p{Lu}/u.test(core) && !proper.has(core));
}
