// `helper VERB`: one privileged helper, as systemd starts it. Where it works comes from the unit's environment, which is root's;
// what it is handed comes from the daemon and is judged.
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import { CODES, type ErrorCode } from '../errors/codes.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { loadConfig } from '../config/load-config.ts';
import type { HelperPlaces } from '../helpers/helper-deps.ts';
import { runHelper } from '../helpers/run-helper.ts';
import { TPM_VARIABLE } from '../helpers/seal-credential.ts';
import type { DiskPort } from '../helpers/seal-disk.ts';
import type { StickPort } from '../helpers/config-stick.ts';
import { DISK_VERB, HELPER_VERBS, isHelperVerb, isSwitchVerb, STICK_VERB } from '../helpers/verbs.ts';
import { openKernelClock } from '../system/kernel-clock.ts';
import type { CliContext } from './deps.ts';
import { print } from './print.ts';
import { loadRootsConfig } from './roots-config.ts';

/** Where the unit of `config-stick` has the stick mounted. */
const STICK_VARIABLE = 'COMPLIANCE_AGENT_STICK';

function folderOf(env: CliContext['env'], name: string): string {
  const value = env[name];
  if (value !== undefined && value.startsWith('/') && !value.includes(':')) return value;
  throw new AgentError('usage', `a helper is started by its unit: ${name} names no folder`);
}

/** The folders that the unit makes, by the variables of systemd.exec(5); the drop folder by one of our own. */
function helperPlaces(env: CliContext['env']): HelperPlaces {
  const folder = (name: string): string => folderOf(env, name);
  return {
    stateDir: folder('STATE_DIRECTORY'),
    dropDir: folder('COMPLIANCE_AGENT_DROP'),
    resultDir: folder('RUNTIME_DIRECTORY'),
    credentialDir: folder('CONFIGURATION_DIRECTORY'),
  };
}

export async function helper(context: CliContext, args: readonly string[]): Promise<number> {
  const [verb = ''] = args;
  if (!isHelperVerb(verb)) {
    throw new AgentError('usage', `there is no helper "${verb}"`, { remedy: `helpers: ${HELPER_VERBS.join(', ')}` });
  }
  const places = helperPlaces(context.env);
  const anchored = loadRootsConfig(context.configPath).root_sha256;
  const result = await runHelper(verb, {
    places,
    clock: context.clock,
    kernel: openKernelClock(),
    exec: context.exec,
    tpm: context.env[TPM_VARIABLE],
    uid: process.geteuid?.(),
    firstRootSha256: anchored,
    baselineId: () => context.loadChecks(loadConfig(context.configPath).config.baseline_path).baseline.id,
    ...(verb === STICK_VERB ? { stick: await stickOf(context, anchored) } : {}),
    ...(verb === DISK_VERB ? { disk: diskOf(context.env) } : {}),
    ...(isSwitchVerb(verb) ? { update: (await import('./helper-update.ts')).updatePlaces(context) } : {}),
    newRun: () => context.ids.randomBytes(16).toString('hex'),
  });
  print(context, 'helper', result, () => [
    `${result.verb}: ${result.sentence}`,
    // One mistake each.
    ...String(result.details['lines'] ?? '')
      .split('\n')
      .filter((line) => line !== ''),
  ]);
  if (result.outcome !== 'refused') return EXIT.ok;
  return CODES[result.code as ErrorCode].exit;
}

/**
 * The unit names it below `lib/systemd`. systemd 255 moved it to `bin` beside that and left a link, which it means to drop.
 *
 * @returns where the program is
 */
export function openerAt(named: string): string {
  const moved = join(dirname(named), '../../bin', basename(named));
  return !existsSync(named) && existsSync(moved) ? moved : named;
}

/** Variables of the unit of `seal-disk`. */
function diskOf(env: CliContext['env']): DiskPort {
  return {
    device: folderOf(env, 'COMPLIANCE_AGENT_DISK'),
    keyFile: folderOf(env, 'COMPLIANCE_AGENT_DISK_KEY'),
    scratchDir: folderOf(env, 'RUNTIME_DIRECTORY'),
    opener: openerAt(folderOf(env, 'COMPLIANCE_AGENT_DISK_OPENER')),
    tpm: env[TPM_VARIABLE],
  };
}

/** Only this helper needs to know provisioning files. */
async function stickOf({ env, configPath }: CliContext, anchored: string | null): Promise<StickPort> {
  const { stickPort } = await import('./helper-stick.ts');
  return stickPort(folderOf(env, STICK_VARIABLE), loadConfig(configPath).config, anchored);
}
