import { join } from 'node:path';
import { expect, it } from 'vitest';
import { acknowledgedUntil, chosenSeed, seededRandom, type Acknowledgement } from '../support/acknowledgements.ts';
import { expectNothingDoubled, expectNothingLost } from '../support/crash-checks.ts';
import { openLog, withDir } from '../support/evidence-fixtures.ts';

const KILLS = 40;
const MAX_COMMITS = 60;
const PROGRAM = join(import.meta.dirname, '../fixtures/programs/append-until-killed.ts');

it(`a store whose program is killed with kill -9 at ${KILLS} random points loses and doubles nothing that was acknowledged`, async () => {
  const random = seededRandom(chosenSeed('STORE_CRASH_SEED'));
  await withDir(async (dir) => {
    openLog(dir).store.close();
    const acknowledged: Acknowledgement[] = [];
    let size = 1;
    for (let kill = 0; kill < KILLS; kill++) {
      const now = await acknowledgedUntil(PROGRAM, dir, Math.floor(random() * MAX_COMMITS), (end) => end());
      expect(now.before[0]?.ready).toBe(size);
      acknowledged.push(...now.before, ...now.since);
      const earlier = size;
      size = expectNothingLost(dir, acknowledged);
      expectNothingDoubled(size, earlier, now);
    }
  });
});
