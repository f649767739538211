// `provision reset`: the machine forgets who it was. A running daemon is told by a note in the state directory and does it as it
// stops; without one it is done here.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { beginReset, finishReset } from '../identity/reset.ts';
import { readStatus } from '../system/status-file.ts';
import { nowSeconds, type CliContext } from './deps.ts';
import { runningStatus } from './liveness.ts';
import { stateDirOf, withStore } from './open-state.ts';
import { print } from './print.ts';
import { harmless } from './style.ts';

interface Known {
  /** What the person has to name. */
  readonly name: string;
  readonly isEnrolled: boolean;
  /** Entries that Central Command has not confirmed as stored. */
  readonly unsent: number;
}

async function whoIsIt(context: CliContext, dir: string): Promise<Known> {
  const status = readStatus(dir);
  try {
    const found = await withStore(context, dir, (store) => {
      const identity = store.trust.identity();
      if (identity === null) return null;
      const { size } = store.entries.state(identity.epoch);
      return { name: identity.applianceId, isEnrolled: true, unsent: size - Math.min(size, status?.stored_size ?? 0) };
    });
    if (found !== null) return found;
  } catch (error) {
    if (!isAgentError(error) || error.code !== 'store_missing') throw error;
  }
  return { name: status?.fingerprint ?? 'this machine', isEnrolled: false, unsent: 0 };
}

/** @throws reset_not_confirmed unless `--confirm` names the appliance; what beginReset and finishReset throw */
export async function provisionReset(context: CliContext, options: { confirm?: string }): Promise<number> {
  const dir = stateDirOf(context);
  const { name, isEnrolled, unsent } = await whoIsIt(context, dir);
  if (options.confirm !== name) {
    throw new AgentError('reset_not_confirmed', `to forget ${name}, repeat with --confirm '${name}'`, { place: dir });
  }
  const stamp = new Date(context.clock.wallMs()).toISOString().slice(0, 19).replaceAll(/[:T]/g, '-');
  const folder = beginReset(dir, stamp);
  const isRunning = runningStatus(dir, nowSeconds(context)) !== null;
  const place = isRunning ? null : finishReset(dir);
  print(context, 'provision-reset', { folder, done: place !== null, unsent_entries: unsent }, () => [
    isRunning
      ? 'the daemon stops and forgets who it was; its service manager starts it anew'
      : 'the keys are gone and the log is set aside',
    harmless(`its log stays in ${dir}/${folder}: compliance-agent --state ${dir}/${folder} evidence verify`),
    ...(unsent === 0 ? [] : [`${unsent} entries are not at Central Command; they are in that log only: keep it`]),
    ...(isEnrolled ? [harmless(`at Central Command: central-command appliance decommission ${name} --reason …`)] : []),
  ]);
  return EXIT.ok;
}
