// The daemon's own memory and CPU: when they are over their limits for too long, which stage ran, and whether a restart is
// the answer. Pure.
import type { ErrorCode } from '../errors/codes.ts';
import type { StageName } from './stage.ts';
import { NOTHING_USED, since, type Used } from './used-by-process.ts';

export interface WatchLimits {
  /** How often is looked. */
  readonly lookMs: number;
  /** So many looks in a row over the memory limit: a peak that the next collection of garbage takes back is none. */
  readonly looksOverMemory: number;
  /** CPU is judged over so long: working off a backlog may take a core for minutes. */
  readonly cpuWindowMs: number;
  /** Of one core, over the whole window. */
  readonly maxCpuShare: number;
}

export const WATCH_LIMITS: WatchLimits = {
  lookMs: 5_000,
  looksOverMemory: 4,
  cpuWindowMs: 15 * 60_000,
  maxCpuShare: 0.9,
};
/** A restart that did not help is not repeated sooner. */
export const RESTART_EVERY_S = 3_600;

export interface Sample {
  /** Monotonic milliseconds. */
  readonly atMs: number;
  readonly rssBytes: number;
  /** User and system time of the process since its start, milliseconds. */
  readonly cpuMs: number;
  /** What was used while each stage ran, since the sample before. */
  readonly used: Readonly<Partial<Record<StageName, Used>>>;
}

export interface WatchState {
  /** Oldest first; those that the CPU window needs. */
  readonly samples: readonly Sample[];
  readonly looksOver: number;
}

export interface Excess {
  readonly code: Extract<ErrorCode, 'self_memory_limit' | 'self_cpu_limit'>;
  /** MiB, or percent of one core. */
  readonly value: number;
  readonly limit: number;
  /** The stage during whose runs most of it was used, in the samples that count; null where none ran. */
  readonly stage: StageName | null;
}

export const FIRST_WATCH: WatchState = { samples: [], looksOver: 0 };
const MIB = 1_048_576;

export function watch(
  before: WatchState,
  sample: Sample,
  memoryLimitMib: number,
  limits: WatchLimits = WATCH_LIMITS,
): { readonly state: WatchState; readonly excess: Excess | null } {
  const isOver = sample.rssBytes > memoryLimitMib * MIB;
  const looksOver = isOver ? before.looksOver + 1 : 0;
  const all = [...before.samples, sample];
  // The oldest one kept is at or before the window's begin, so that the window is always covered whole.
  const begin = all.findLastIndex((one) => sample.atMs - one.atMs >= limits.cpuWindowMs);
  const samples = all.slice(Math.max(begin, 0));
  const state = { samples, looksOver };
  if (looksOver >= limits.looksOverMemory) {
    return {
      state,
      excess: {
        code: 'self_memory_limit',
        value: Math.round(sample.rssBytes / MIB),
        limit: memoryLimitMib,
        stage: greediest(samples, 'bytes'),
      },
    };
  }
  const [first] = samples;
  const spanMs = first === undefined ? 0 : sample.atMs - first.atMs;
  const share = first === undefined || spanMs < limits.cpuWindowMs ? 0 : (sample.cpuMs - first.cpuMs) / spanMs;
  if (share < limits.maxCpuShare) return { state, excess: null };
  const percent = (part: number): number => Math.round(part * 100);
  return {
    state,
    excess: {
      code: 'self_cpu_limit',
      value: percent(share),
      limit: percent(limits.maxCpuShare),
      stage: greediest(samples, 'cpuMs'),
    },
  };
}

function greediest(samples: readonly Sample[], of: keyof Used): StageName | null {
  const totals = new Map<StageName, number>();
  for (const { used } of samples) {
    for (const [name, one] of Object.entries(used) as [StageName, Used][]) {
      totals.set(name, (totals.get(name) ?? 0) + one[of]);
    }
  }
  return [...totals].reduce<[StageName | null, number]>((most, one) => (one[1] > most[1] ? one : most), [null, 0])[0];
}

/** What was used during each stage from one look to the next, from its totals at each. The watch itself is left out. */
export function usedSince(
  before: ReadonlyMap<string, Used>,
  now: ReadonlyMap<string, Used>,
): Partial<Record<StageName, Used>> {
  const used = [...now].map(([name, total]) => [name, since(before.get(name) ?? NOTHING_USED, total)] as const);
  return Object.fromEntries(used.filter(([name]) => name !== 'self_watch'));
}

/** True where the last restart for this cause (Unix seconds, null: none) is long enough ago, or the clock stepped back. */
export const mayRestart = (lastRestartAt: number | null, now: number): boolean =>
  lastRestartAt === null || Math.abs(now - lastRestartAt) >= RESTART_EVERY_S;

/** One plain sentence. */
export function excessSentence({ code, value, limit, stage }: Excess): string {
  const what =
    code === 'self_memory_limit' ? `${value} MiB of memory` : `${value} % of a core for a quarter of an hour`;
  const unit = code === 'self_memory_limit' ? 'MiB' : '%';
  return `The agent used ${what} (limit ${limit} ${unit})${stage === null ? '' : ` while the stage ${stage} ran`}.`;
}
