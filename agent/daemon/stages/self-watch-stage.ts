// Looks at the daemon's own memory and CPU. Over a limit for too long it says which stage ran, records an alert, and ends the
// process in good order, so that the service manager starts it anew; at most once an hour.
import { CODES } from '../../errors/codes.ts';
import type { DaemonContext } from '../context.ts';
import { nowSeconds } from '../context.ts';
import { keep, kept } from '../self-care.ts';
import {
  excessSentence,
  FIRST_WATCH,
  mayRestart,
  usedSince,
  watch,
  WATCH_LIMITS,
  type Excess,
  type WatchLimits,
} from '../self-watch.ts';
import type { Stage } from '../stage.ts';
import { usedByProcess, type Used } from '../used-by-process.ts';

export function selfWatchStage(context: DaemonContext, limits: WatchLimits = WATCH_LIMITS): Stage {
  const { clock, state, config } = context;
  let watched = FIRST_WATCH;
  let said: Excess['code'] | null = null;
  let before: ReadonlyMap<string, Used> = new Map();
  return {
    name: 'self_watch',
    wanted: () => true,
    intervalMs: () => limits.lookMs,
    jittered: false,
    deadlineMs: 10_000,
    longestPauseMs: () => 60_000,
    run() {
      const { cpuMs, bytes } = usedByProcess();
      const total = new Map(
        context.stages().map((stage) => [stage.name, { cpuMs: stage.cpu_ms, bytes: stage.grown_bytes }]),
      );
      const sample = {
        atMs: clock.monoMs(),
        rssBytes: bytes,
        cpuMs,
        used: usedSince(before, total),
      };
      before = total;
      const { state: next, excess } = watch(watched, sample, config.memory_limit_mib, limits);
      watched = next;
      const recorder = state.enrolled?.recorder;
      if (excess !== null) {
        if (said !== excess.code) react(context, excess);
        said = excess.code;
      } else if (watched.looksOver === 0) {
        said = null;
        recorder?.clear('self_memory_limit');
        recorder?.clear('self_cpu_limit');
      }
      return Promise.resolve();
    },
  };
}

function react(context: DaemonContext, excess: Excess): void {
  const { store, log, state, clock } = context;
  const now = nowSeconds(clock);
  const sentence = excessSentence(excess);
  const restarts = mayRestart(kept(store, 'last_restart')?.at ?? null, now);
  log.error('own limit exceeded', {
    code: excess.code,
    value: excess.value,
    limit: excess.limit,
    stage: excess.stage,
    restarts,
  });
  state.enrolled?.recorder.raise(excess.code, {
    severity: 'high',
    details: { value: excess.value, limit: excess.limit, restarts },
  });
  if (!restarts) return;
  keep(store, 'last_restart', { at: now, code: excess.code });
  keep(store, 'last_blocking', {
    code: excess.code,
    sentence: `${sentence} It restarted itself.`,
    remedy: CODES[excess.code].remedy,
    since: now,
    until: now,
  });
  context.requestRestart(excess.code);
}
