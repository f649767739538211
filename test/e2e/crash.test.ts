import { crashSuite } from '../support/crash-suite.ts';

crashSuite(20, 240_000);
