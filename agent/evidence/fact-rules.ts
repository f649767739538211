// The facts that each check may put into an entry: field → rule. A check that is not named here may record numbers,
// booleans, digests, versions and closed words only.
import type { Rule } from './scrub-rules.ts';

export const FACT_RULES: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {};
