// CPU that a piece of work takes, with the programs that it runs.
import { readFileSync } from 'node:fs';

/** Fields of /proc/self/stat behind the name: CPU of children that ended and were waited for, in ticks (proc(5)). */
const [CHILDREN_USER, CHILDREN_SYSTEM] = [13, 14];
/** USER_HZ, which is 100 on every Linux that Node runs on. */
const TICKS_PER_S = 100;
const US_PER_S = 1e6;

/** Seconds of CPU of this process and of its children so far. Children count in steps of 10 ms. */
function cpuSeconds(): number {
  const own = process.cpuUsage();
  const fields = readFileSync('/proc/self/stat', 'latin1')
    .replace(/^.*\) /, '')
    .split(' ');
  const ticks = Number(fields[CHILDREN_USER]) + Number(fields[CHILDREN_SYSTEM]);
  return (own.user + own.system) / US_PER_S + ticks / TICKS_PER_S;
}

/** Seconds of CPU that one call takes, averaged over `runs`: the steps of children are too coarse for a single one. */
export async function cpuOf(runs: number, work: () => unknown): Promise<number> {
  await work();
  const before = cpuSeconds();
  for (let n = 0; n < runs; n++) await work();
  return (cpuSeconds() - before) / runs;
}
