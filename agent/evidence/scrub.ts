// Scrubbing by allow-list, before anything is signed: what was signed can never be cleaned again.
import { jcsDigest } from '../wire/jcs.ts';
import type { EntryBody, EntryKind } from '../wire/schemas/entry.ts';
import { FACT_RULES } from './fact-rules.ts';
import { FORBIDDEN, KIND_RULES, SHAPES } from './scrub-rules.ts';
import { OWN_SENTENCES, SENTENCE_MARKS, WORD_SHAPES } from './scrub-sentence.ts';
import { ABSENT, CLOSED_WORDS, OPEN_KEY, OPEN_TYPES, scrubFacts, scrubValue } from './scrub-value.ts';
import { PROPER_WORDS } from './sentence-words.ts';

/** Rules as data; `revision` changes when the code that applies them does. */
export const POLICY = {
  revision: 3,
  kinds: KIND_RULES,
  facts: FACT_RULES,
  shapes: SHAPES,
  words: WORD_SHAPES,
  closed_words: CLOSED_WORDS,
  proper_words: PROPER_WORDS,
  own_sentences: OWN_SENTENCES,
  marks: Object.fromEntries(Object.entries(SENTENCE_MARKS).map(([name, pattern]) => [name, pattern.source])),
  open_key: OPEN_KEY.source,
  open_types: OPEN_TYPES,
  forbidden: FORBIDDEN,
};

/** SHA-256 of the JCS of all rules. */
export const policyDigest = (policy: typeof POLICY): string => jcsDigest(policy);

/** Stands in each entry as redaction.policy_digest. */
export const POLICY_DIGEST: string = policyDigest(POLICY);

export interface Scrubbed<K extends EntryKind> {
  readonly body: EntryBody<K>;
  /** Rule → how many values it removed or replaced; empty when nothing was. */
  readonly counts: Readonly<Record<string, number>>;
}

/**
 * A fresh copy of `body` with only what the rules of `kind` allow. Where something of a finding's facts was taken out,
 * `facts_digest` becomes the digest of what was kept: a digest of removed text could be guessed back.
 */
export function scrub<K extends EntryKind>(kind: K, body: EntryBody<K>): Scrubbed<K> {
  const counts: Record<string, number> = {};
  let removed = 0;
  const count = (rule: string): void => {
    counts[rule] = (counts[rule] ?? 0) + 1;
    removed += 1;
  };
  const rules = KIND_RULES[kind];
  const out: Record<string, unknown> = {};
  const fields = body as Readonly<Record<string, unknown>>;
  for (const [key, value] of Object.entries(fields)) {
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    if (rule === undefined) {
      if (value !== undefined) count('unlisted_field');
    } else if (typeof rule === 'object' && 'facts_of_check' in rule) {
      const before = removed;
      out[key] = scrubFacts(value, checkIdOf(fields), count);
      if (removed > before) out['facts_digest'] = jcsDigest(out[key]);
    } else if (!(key === 'facts_digest' && 'facts_digest' in out)) {
      const kept = scrubValue(value, rule, count);
      if (kept !== ABSENT) out[key] = kept;
    }
  }
  return { body: out as unknown as EntryBody<K>, counts };
}

function checkIdOf(fields: Readonly<Record<string, unknown>>): string {
  const check = fields['check'];
  return typeof check === 'object' && check !== null && 'id' in check && typeof check.id === 'string' ? check.id : '';
}
