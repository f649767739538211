// The state directory as the command line sees it: the configuration says where it is, and the store is opened to read.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { LoadedBaseline } from '../checks/baseline.ts';
import { loadConfig } from '../config/load-config.ts';
import { openStore, type EnrolledIdentity, type Store } from '../store/open-store.ts';
import type { CliContext } from './deps.ts';

/** `--state`, else `state_dir` of the configuration. */
export function stateDirOf(context: CliContext): string {
  return context.stateDir ?? loadConfig(context.configPath).config.state_dir;
}

/** The baseline that the configuration names; with `--state` the one that ships with the agent. */
export function baselineOf(context: CliContext): LoadedBaseline {
  const path = context.stateDir === null ? loadConfig(context.configPath).config.baseline_path : null;
  return context.loadChecks(path).baseline;
}

/** Calls `fn` with the store opened read-only and closes it in any case. */
export async function withStore<T>(context: CliContext, dir: string, fn: (store: Store) => T | Promise<T>): Promise<T> {
  const store = openStore({ dir, clock: context.clock, readOnly: true });
  try {
    return await fn(store);
  } finally {
    store.close();
  }
}

/** As withStore, with who this appliance is. @throws not_enrolled where there is no store or no identity yet */
export async function withEnrolledStore<T>(
  context: CliContext,
  dir: string,
  fn: (store: Store, identity: EnrolledIdentity) => T | Promise<T>,
): Promise<T> {
  try {
    return await withStore(context, dir, (store) => {
      const identity = store.trust.identity();
      if (identity === null) throw new AgentError('not_enrolled', 'this appliance is not enrolled', { place: dir });
      return fn(store, identity);
    });
  } catch (error) {
    if (!isAgentError(error) || error.code !== 'store_missing') throw error;
    throw new AgentError('not_enrolled', 'no daemon ran with this state directory yet', { place: dir, cause: error });
  }
}
