// Progress on stderr for work that takes over a second: rewritten in place on a terminal, now and then a line elsewhere.
import type { CliContext } from './deps.ts';

/** Shorter work is over before anybody wonders. */
const QUIET_MS = 1_000;
const TERMINAL_EVERY_MS = 200;
const LINE_EVERY_MS = 10_000;

export interface Progress {
  /** `done` of `total` (null where it is not known). Cheap enough to call for every item. */
  at(done: number, total: number | null): void;
  /** Removes what stands on the terminal. */
  end(): void;
}

export function createProgress(context: Pick<CliContext, 'stderr' | 'clock'>, what: string): Progress {
  const { stderr, clock } = context;
  const every = stderr.isTTY ? TERMINAL_EVERY_MS : LINE_EVERY_MS;
  const started = clock.monoMs();
  let next = started + QUIET_MS;
  let shown = false;
  return {
    at(done, total) {
      const now = clock.monoMs();
      if (now < next) return;
      next = now + every;
      shown = true;
      const share = total === null || total === 0 ? '' : ` of ${total} (${Math.floor((done * 100) / total)} %)`;
      const rate = Math.round((done * 1_000) / Math.max(now - started, 1));
      const text = `${what}: ${done}${share}, ${rate}/s`;
      stderr.write(stderr.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
    },
    end() {
      if (shown && stderr.isTTY) stderr.write('\r\u001b[K');
    },
  };
}
