// `egress refresh`: one turn of the refresher, as its unit starts it. It says what is new and is silent about what goes on as it was.
import { refreshEgress } from '../egress/refresh-egress.ts';
import { resolveNames } from '../egress/resolve-names.ts';
import type { EgressState } from '../egress/egress-state.ts';
import { AgentError } from '../errors/agent-error.ts';
import { CODES, type ErrorCode } from '../errors/codes.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { openKernelClock } from '../system/kernel-clock.ts';
import { createLog } from '../system/log.ts';
import type { CliContext } from './deps.ts';
import { print } from './print.ts';
import { loadRootsConfig } from './roots-config.ts';

/** Where the helpers keep what they verified. */
const HELD_VARIABLE = 'COMPLIANCE_AGENT_HELD';

/** Of systemd.exec(5), or set by the unit. */
function folder(env: CliContext['env'], name: string): string {
  const value = env[name];
  if (value !== undefined && value.startsWith('/') && !value.includes(':')) return value;
  throw new AgentError('usage', `the refresher is started by its unit: ${name} names no folder`);
}

/** @throws usage, helper_not_root, helper_surroundings_unsafe, file_… */
export async function egressRefresh(context: CliContext): Promise<number> {
  const { clock, exec, env, configPath } = context;
  const stateDir = folder(env, 'RUNTIME_DIRECTORY');
  const heldDir = folder(env, HELD_VARIABLE);
  if (process.geteuid?.() !== 0) throw new AgentError('helper_not_root', 'the egress table is opened by root only');
  const { state, before } = await refreshEgress({
    config: loadRootsConfig(configPath),
    heldDir,
    stateDir,
    clock,
    kernel: openKernelClock(),
    exec,
    resolve: (names) => resolveNames(names, clock),
  });
  if (context.json) print(context, 'egress-refresh', { state }, () => []);
  else tell(state, before);
  return state.problem === null ? EXIT.ok : CODES[state.problem.code as ErrorCode].exit;
}

function tell(state: EgressState, before: EgressState | null): void {
  const log = createLog();
  for (const warning of state.warnings) {
    if (before?.warnings.includes(warning) !== true) log.warn('egress', { reason: warning });
  }
  if (state.problem !== null) {
    // Each time: it is what keeps the appliance from its work.
    const { code, sentence } = state.problem;
    log.error('egress not opened', { code, reason: sentence, remedy: CODES[code as ErrorCode].remedy });
    return;
  }
  if (before !== null && before.problem === null && whatIsOpen(before) === whatIsOpen(state)) return;
  log.info('egress opened', {
    doors: state.doors.length,
    addresses: state.doors.reduce((sum, { addresses }) => sum + addresses.length, 0),
    networks: state.networks.length,
    policy_version: state.policy_version,
    period_s: state.period_s,
  });
}

/** Without the times, which change each turn. */
const whatIsOpen = ({ doors, networks, policy_version }: EgressState): string =>
  JSON.stringify([
    doors.map(({ who, host, ports, addresses }) => [
      who,
      host,
      ports,
      addresses.map(({ address }) => address).toSorted(),
    ]),
    networks.map(({ prefix, ports }) => [prefix, ports]),
    policy_version,
  ]);
