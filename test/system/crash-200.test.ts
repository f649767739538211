import { crashSuite } from '../support/crash-suite.ts';

crashSuite(200, 1_200_000);
