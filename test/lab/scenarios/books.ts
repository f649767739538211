// All scenarios of all Windows runbooks.
import type { ScenarioBook } from '../scenario.ts';
import { directory } from './directory.ts';
import { encryption } from './encryption.ts';
import { av } from './av.ts';
import { backup } from './backup.ts';
import { firewall } from './firewall.ts';
import { logging } from './logging.ts';
import { patch } from './patch.ts';

export const SCENARIO_BOOKS: readonly ScenarioBook[] = [patch, av, backup, logging, firewall, encryption, directory];
