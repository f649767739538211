// Regular expressions that end in time proportional to the text, whatever the pattern: RE2's syntax and engine (re2js).
// What such an engine cannot do (backreferences, look-around) does not compile. Pure.
import { RE2JS, RE2JSSyntaxException } from 're2js';

/** Longest pattern. A name in a finding has at most 64 characters. */
const MAX_PATTERN_CHARS = 200;
/** Instructions of the compiled program: matching costs at most this many steps for each character. */
const MAX_PROGRAM = 2_000;

export interface LinearRegex {
  /** True where the pattern matches anywhere in `text`. */
  test(text: string): boolean;
}

/** The compiled pattern, or the clause that says what is wrong with it. */
export function compileRegex(pattern: string): LinearRegex | string {
  if (pattern.length > MAX_PATTERN_CHARS) return `is longer than ${MAX_PATTERN_CHARS} characters`;
  try {
    const compiled = RE2JS.compile(pattern);
    if (compiled.programSize() > MAX_PROGRAM) return 'repeats too much to be matched quickly';
    return { test: (text) => compiled.test(text) };
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error;
    return `is not a regular expression of RE2: ${error.message.replace(/^error parsing regexp: /, '')}`;
  }
}
