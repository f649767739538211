// `provision DIR`: checks the provisioning files of a stick or folder and puts them where the daemon looks for them.
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { loadConfig } from '../config/load-config.ts';
import { provisionFileMode, PROVISION_FILES, readProvisionFiles } from '../identity/provision-files.ts';
import { writeFileAtomic } from '../system/files.ts';
import { dropControl } from '../system/status-file.ts';
import { nowSeconds, type CliContext } from './deps.ts';
import { runningStatus } from './liveness.ts';
import { withStore } from './open-state.ts';
import { print } from './print.ts';
import { harmless } from './style.ts';

const DIRECTORY_MODE = 0o700;

const IS_RUNNING = 'the daemon enrols with them now; see compliance-agent status';
const NOT_RUNNING = 'the daemon is not running; start it to enrol: systemctl start compliance-agent';

/** @throws already_enrolled */
export async function assertNotEnrolled(context: CliContext, stateDir: string): Promise<void> {
  try {
    await withStore(context, stateDir, (store) => {
      const identity = store.trust.identity();
      if (identity === null) return;
      throw new AgentError('already_enrolled', `this appliance is enrolled as ${identity.applianceId}`, {
        place: stateDir,
      });
    });
  } catch (error) {
    if (!isAgentError(error) || error.code !== 'store_missing') throw error;
  }
}

export async function provision(context: CliContext, dir: string, options: { check?: boolean }): Promise<number> {
  const found = readProvisionFiles(resolve(dir));
  const { root, digest } = found.root;
  const value = {
    central_url: found.centralUrl,
    partner_id: root.partner_id,
    root_version: root.version,
    root_sha256: digest,
  };
  let written: string | null = null;
  let isRunning = false;
  if (options.check !== true) {
    const { config } = loadConfig(context.configPath);
    const stateDir = context.stateDir ?? config.state_dir;
    await assertNotEnrolled(context, stateDir);
    if (resolve(dir) !== resolve(config.provision_dir)) {
      mkdirSync(config.provision_dir, { recursive: true, mode: DIRECTORY_MODE });
      const mode = provisionFileMode(config.provision_dir);
      for (const { name } of PROVISION_FILES) {
        writeFileAtomic(join(config.provision_dir, name), readFileSync(join(dir, name)), { mode });
      }
    }
    dropControl(stateDir, 'provision_now', context.ids.uuidv7());
    written = config.provision_dir;
    isRunning = runningStatus(stateDir, nowSeconds(context)) !== null;
  }
  print(context, 'provision', { ...value, written_to: written, daemon_running: isRunning }, () => [
    harmless(`the files are complete: partner ${root.partner_id} at ${found.centralUrl}`),
    `root ${root.version}, SHA-256 ${digest}`,
    written === null ? 'nothing was written (--check)' : harmless(`written to ${written}`),
    ...(written === null ? [] : [isRunning ? IS_RUNNING : NOT_RUNNING]),
  ]);
  return EXIT.ok;
}
