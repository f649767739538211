// A control group of one's own for a container: systemd-nspawn puts what it boots below the group that it is started in, and the
// systemd of a second container would write, move and remove in the groups of the first.
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Version 2, version 2 beside version 1, and the hierarchy of version 1 that systemd keeps its units in. */
const HIERARCHIES = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/sys/fs/cgroup/systemd'];
const ENTER =
  'end=$1; shift; while [ "$1" != "$end" ]; do echo $$ > "$1/cgroup.procs" || exit 1; shift; done; shift; exec "$@"';
const END = '--';
const ENDED_MS = 10_000;
const LOOK_MS = 50;

export interface OwnCgroup {
  /** A command that is put before another: that then runs in this group. */
  readonly enter: readonly [string, ...string[]];
  /** Once all that ran in it was ended. Throws where something goes on. */
  remove(): Promise<void>;
}

/** Needs root. */
export function ownCgroup(): OwnCgroup {
  // One path in all of them: systemd-nspawn takes that of one for the others.
  const name = `nspawn-test-${randomUUID()}`;
  const dirs = HIERARCHIES.filter((dir) => existsSync(join(dir, 'cgroup.procs'))).map((dir) => join(dir, name));
  for (const dir of dirs) mkdirSync(dir);
  return {
    enter: ['sh', '-c', ENTER, 'sh', END, ...dirs, END],
    async remove() {
      // The kernel takes a moment to bury what was killed.
      const deadline = performance.now() + ENDED_MS;
      for (const dir of dirs) {
        while (!removeGroup(dir)) {
          if (performance.now() > deadline) throw new Error(`something goes on in ${dir}`);
          await delay(LOOK_MS);
        }
      }
    },
  };
}

function removeGroup(dir: string): boolean {
  const inner = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const areGone = inner.map(({ name }) => removeGroup(join(dir, name)));
  if (areGone.includes(false)) return false;
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') return false;
    throw error;
  }
}
