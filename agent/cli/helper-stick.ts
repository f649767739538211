// What the helper `config-stick` is handed: the folders of its unit, and who knows the formats of provisioning files.
import type { JudgedFiles } from '../helpers/judge-stick.ts';
import { STICK_LABEL, type StickPort } from '../helpers/config-stick.ts';
import type { Config } from '../config/keys.ts';
import { isAgentError } from '../errors/agent-error.ts';
import { mistakeLine, ProvisionError } from '../identity/provision-mistake.ts';
import {
  overwriteToken,
  PROVISION_FILES,
  provisionDigest,
  readProvisionFiles,
  writeProvisionResult,
} from '../identity/provision-files.ts';

function judge(dir: string): JudgedFiles {
  try {
    const { root, centralUrl } = readProvisionFiles(dir);
    return { verdict: 'good', rootSha256: root.digest, partnerId: root.root.partner_id, centralUrl };
  } catch (error) {
    if (error instanceof ProvisionError) {
      const { mistakes } = error;
      const onlyUsed = mistakes.every(({ code }) => code === 'token_used');
      return { verdict: 'mistakes', lines: mistakes.map(mistakeLine), onlyUsed };
    }
    if (isAgentError(error) && error.code === 'provision_missing') return { verdict: 'missing' };
    throw error;
  }
}

/** @param mountPoint where the unit has the stick mounted */
export function stickPort(
  mountPoint: string,
  config: Pick<Config, 'provision_dir' | 'state_dir'>,
  anchored: string | null,
): StickPort {
  return {
    stickDir: mountPoint,
    device: `/dev/disk/by-label/${STICK_LABEL}`,
    provisionDir: config.provision_dir,
    stateDir: config.state_dir,
    anchored,
    files: PROVISION_FILES,
    judge,
    digest: provisionDigest,
    overwriteToken,
    writeResult: writeProvisionResult,
  };
}
