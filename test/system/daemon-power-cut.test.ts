import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { crashSuite } from '../support/crash-suite.ts';
import { createLoopDisk, whyNoLoopDisk, type LoopDisk } from '../support/loop-disk.ts';

const CUTS = 10;
const DISK_MIB = 256;

const why = whyNoLoopDisk();
let disk: LoopDisk | undefined;
// The hooks of a file run after those of the suite, which ends the agent.
afterAll(() => disk?.destroy());

crashSuite({
  stops: CUTS,
  called: 'power cuts',
  title: `${CUTS} power cuts at random points of the cycle`,
  withinMs: 300_000,
  // Few cuts, so each may come later in the cycle.
  beyondStartMs: 6_000,
  skipUnlessPossible: (context) => context.skip(why !== null, why ?? ''),
  prepare: (site) => {
    disk = createLoopDisk(DISK_MIB);
    // The daemon's own files only: Central Command stands on another machine.
    site.paths.state = join(disk.path, 'state');
    mkdirSync(site.paths.state, { mode: 0o700 });
  },
  stop: async (site) => {
    disk?.cutPower();
    await site.endAgent('SIGKILL');
    disk?.remount();
  },
});
