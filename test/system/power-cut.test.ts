import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  acknowledgedUntil,
  chosenSeed,
  seededRandom,
  type Acknowledged,
  type Acknowledgement,
} from '../support/acknowledgements.ts';
import { expectNothingDoubled, expectNothingLost } from '../support/crash-checks.ts';
import { openLog } from '../support/evidence-fixtures.ts';
import { createLoopDisk, whyNoLoopDisk, type LoopDisk } from '../support/loop-disk.ts';

const CUTS = 10;
/** The control loses something in about every second cut; this many without a loss would be one in a million. */
const MAX_CONTROL_CUTS = 20;
const MAX_COMMITS = 400;
const DISK_MIB = 256;
const programs = join(import.meta.dirname, '../fixtures/programs');

const why = whyNoLoopDisk();

describe('power cut', () => {
  let disk: LoopDisk | undefined;
  let dir: string;
  beforeEach((context) => {
    context.skip(why !== null, why ?? '');
    disk = createLoopDisk(DISK_MIB);
    dir = join(disk.path, 'state');
    mkdirSync(dir);
  });
  afterEach(() => disk?.destroy());

  const cutAfter = (program: string, commits: number): Promise<Acknowledged> =>
    acknowledgedUntil(join(programs, program), dir, commits, (kill) => {
      disk?.cutPower();
      kill();
    });

  it(`${CUTS} power cuts at random points lose and double no acknowledged entry, and the chain stays whole`, async () => {
    const random = seededRandom(chosenSeed('POWER_CUT_SEED'));
    openLog(dir).store.close();
    const acknowledged: Acknowledgement[] = [];
    let size = 1;
    for (let cut = 0; cut < CUTS; cut++) {
      const now = await cutAfter('append-until-killed.ts', Math.floor(random() * MAX_COMMITS));
      disk?.remount();
      // The commit in flight at the moment of the simulated cut may report success although the file system refuses to
      // write (seen in about one of twenty-five cuts). Power that is really gone lets no call return, so what counts is
      // what was acknowledged before the cut began.
      acknowledged.push(...now.before);
      const earlier = size;
      size = expectNothingLost(dir, acknowledged);
      expectNothingDoubled(size, earlier, now);
    }
    expect(acknowledged.length).toBeGreaterThan(CUTS);
  });

  it('the same cuts do lose acknowledged commits of a database with synchronous=NORMAL, so that the test has teeth', async () => {
    const random = seededRandom(chosenSeed('POWER_CUT_CONTROL_SEED'));
    let cuts = 0;
    let lost = 0;
    // Below zero: commits whose acknowledgement nobody had read when the power went were kept too.
    while (lost <= 0 && cuts < MAX_CONTROL_CUTS) {
      cuts += 1;
      const now = await cutAfter('insert-without-full-sync.ts', Math.floor(random() * MAX_COMMITS));
      disk?.remount();
      const newest = Math.max(0, ...now.before.flatMap(({ entry }) => entry ?? []));
      const db = new Database(join(dir, 'control.db'));
      // The table itself may be gone with the log that held it.
      const table = db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'numbers'").pluck().get();
      const kept = table === 0 ? 0 : Number(db.prepare('SELECT coalesce(max(n), 0) FROM numbers').pluck().get());
      db.close();
      lost = newest - kept;
    }
    process.stdout.write(`control: ${lost} acknowledged commits lost at cut ${cuts}\n`);
    expect(lost).toBeGreaterThan(0);
  });
});
