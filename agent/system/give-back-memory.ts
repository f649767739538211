// Memory that is free inside the process and still counted as used: garbage that V8 has no reason to collect while nothing
// happens, and pages that glibc keeps for later.
import { createRequire } from 'node:module';

/** The first lets go of code that is not in use, the second of what only that code held. */
const COLLECTIONS = 2;

let trim: ((keep: number) => unknown) | null = null;

/**
 * Collects garbage and gives free pages back to the kernel: about 100 ms during which nothing else runs. Needs Node's
 * `--expose-gc`, which the launcher of the appliance passes; false, and nothing done, without it.
 */
export function giveBackMemory(): boolean {
  if (globalThis.gc === undefined) return false;
  for (let i = 0; i < COLLECTIONS; i += 1) globalThis.gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  trim ??= loadTrim();
  trim(0);
  return true;
}

/** malloc_trim(3) of glibc; Node has no way to it. */
function loadTrim(): (keep: number) => unknown {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  return koffi.load(null).func('int malloc_trim(size_t pad)');
}
