// Runs whose act goes on by itself: a backup, say. They ended as deferred; which of them still wait for a look that proves or
// disproves them is kept in the store.
import type { Store } from '../../store/open-store.ts';

export interface StartedRun {
  readonly runId: string;
  /** T of the last look at it, or of its start. */
  readonly at: number;
}

type Settings = { readonly settings: Pick<Store['settings'], 'get' | 'set'> };

const KEY = 'appliance_started';
/** Six changes a day by one runbook, and few of them go on: more is a defect, and the oldest give way. */
const MAX_STARTED = 16;

/** Oldest first. */
export const startedRuns = ({ settings }: Settings): StartedRun[] =>
  JSON.parse(settings.get(KEY) ?? '[]') as StartedRun[];

/** Adds it, or brings its time up to date. */
export function rememberStarted(store: Settings, run: StartedRun): void {
  const others = startedRuns(store).filter(({ runId }) => runId !== run.runId);
  store.settings.set(KEY, JSON.stringify([...others, run].slice(-MAX_STARTED)));
}

export function forgetStarted(store: Settings, runId: string): void {
  store.settings.set(KEY, JSON.stringify(startedRuns(store).filter((one) => one.runId !== runId)));
}
