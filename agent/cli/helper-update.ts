// What the units that switch the system name in their environment: programs, limits, and which table of the packet filter has to be
// there. Root wrote the units.
import { AgentError } from '../errors/agent-error.ts';
import { loadConfig } from '../config/load-config.ts';
import type { UpdatePlaces } from '../helpers/system-tools.ts';
import type { CliContext } from './deps.ts';

const OWN_VARIABLE = /^COMPLIANCE_AGENT_[A-Z_]+$/;
/** As the option `rebuildHealthCheckTimeoutS` has it. */
const HEALTH_S = { least: 10, most: 300 } as const;

/** @throws usage where it is not such a unit that started it */
export function updatePlaces({ env, configPath }: Pick<CliContext, 'env' | 'configPath'>): UpdatePlaces {
  const path = (name: string): string => {
    const value = env[name];
    if (value !== undefined && value.startsWith('/')) return value;
    throw new AgentError('usage', `this helper is started by its unit: ${name} names no absolute path`);
  };
  const healthS = Number(env['COMPLIANCE_AGENT_HEALTH_S']);
  if (!Number.isInteger(healthS) || healthS < HEALTH_S.least || healthS > HEALTH_S.most) {
    throw new AgentError('usage', 'this helper is started by its unit: COMPLIANCE_AGENT_HEALTH_S is 10 to 300 seconds');
  }
  return {
    nixBin: path('COMPLIANCE_AGENT_NIX_BIN'),
    systemdBin: path('COMPLIANCE_AGENT_SYSTEMD_BIN'),
    nft: path('COMPLIANCE_AGENT_NFT'),
    healthWithinMs: healthS * 1_000,
    egressTable: env['COMPLIANCE_AGENT_EGRESS_TABLE'] ?? null,
    agentStateDir: loadConfig(configPath).config.state_dir,
    program: [path('COMPLIANCE_AGENT_PROGRAM'), 'helper', 'rollback-system', '--config', configPath],
    environment: Object.fromEntries(
      Object.entries(env).flatMap(([name, value]) =>
        value !== undefined && OWN_VARIABLE.test(name) ? [[name, value]] : [],
      ),
    ),
  };
}
