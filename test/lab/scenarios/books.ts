// All scenarios of all Windows runbooks.
import type { ScenarioBook } from '../scenario.ts';

export const SCENARIO_BOOKS: readonly ScenarioBook[] = [];
