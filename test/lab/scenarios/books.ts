// All scenarios of all Windows runbooks.
import type { ScenarioBook } from '../scenario.ts';
import { directory } from './directory.ts';
import { encryption } from './encryption.ts';
import { firewall } from './firewall.ts';
import { logging } from './logging.ts';

export const SCENARIO_BOOKS: readonly ScenarioBook[] = [firewall, logging, encryption, directory];
