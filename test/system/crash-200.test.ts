import { crashSuite } from '../support/crash-suite.ts';

const KILLS = 200;

crashSuite({
  stops: KILLS,
  called: 'kills',
  title: `kill -9 at ${KILLS} random points of the cycle`,
  withinMs: 1_200_000,
});
