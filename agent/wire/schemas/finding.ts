// What a check says about one target: the common language of checks (which produce it) and evidence (which records it).
import type { EntryBody } from './entry.ts';

/**
 * One judgement. Times are Unix seconds. `facts` are the judged facts that it rests on; `facts_digest` is the SHA-256 of
 * their JCS form without times and counters, so that "unchanged" can be true.
 */
export type Finding = Omit<EntryBody<'finding'>, 'previous_result'> & {
  /** When the first and the last of the facts was read. */
  readonly observed_from: number;
  readonly observed_to: number;
};
