// `helper VERB`: one privileged helper, as systemd starts it. Where it works comes from the unit's environment, which is root's;
// what it is handed comes from the daemon and is judged.
import { lstatSync, realpathSync } from 'node:fs';
import { AgentError } from '../errors/agent-error.ts';
import { CODES, type ErrorCode } from '../errors/codes.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { loadConfig } from '../config/load-config.ts';
import type { HelperPlaces } from '../helpers/helper-deps.ts';
import { runHelper } from '../helpers/run-helper.ts';
import { TPM_VARIABLE } from '../helpers/seal-credential.ts';
import { HELPER_VERBS, isHelperVerb } from '../helpers/verbs.ts';
import { assertRootsWay } from '../system/handed-over.ts';
import { openKernelClock } from '../system/kernel-clock.ts';
import type { CliContext } from './deps.ts';
import { print } from './print.ts';

const OTHERS_WRITE = 0o022;

/** The folders that the unit makes, by the variables of systemd.exec(5); the drop folder by one of our own. */
export function helperPlaces(env: CliContext['env']): HelperPlaces {
  const folder = (name: string): string => {
    const value = env[name];
    if (value !== undefined && value.startsWith('/') && !value.includes(':')) return value;
    throw new AgentError('usage', `a helper is started by its unit: ${name} names no folder`);
  };
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
  const result = await runHelper(verb, {
    places,
    clock: context.clock,
    kernel: openKernelClock(),
    exec: context.exec,
    tpm: context.env[TPM_VARIABLE],
    uid: process.geteuid?.(),
    firstRootSha256: firstRootSha256(context.configPath),
    baselineId: () => context.loadChecks(loadConfig(context.configPath).config.baseline_path).baseline.id,
    newRun: () => context.ids.randomBytes(16).toString('hex'),
  });
  print(context, 'helper', result, () => [`${result.verb}: ${result.sentence}`]);
  if (result.outcome !== 'refused') return EXIT.ok;
  return CODES[result.code as ErrorCode].exit;
}

/** The root that everything hangs on: it counts only from a file that the daemon cannot write. */
function firstRootSha256(path: string): string | null {
  const real = realpathSync(path);
  assertRootsWay(real);
  const { uid, mode } = lstatSync(real);
  if (uid !== 0 || (mode & OTHERS_WRITE) !== 0) {
    throw new AgentError('helper_surroundings_unsafe', 'others than root could have written the configuration', {
      place: real,
    });
  }
  return loadConfig(path).config.root_sha256;
}
