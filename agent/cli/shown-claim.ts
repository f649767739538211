// The claim code that this appliance made and shows to people, where there is one to show.
import { isAgentError } from '../errors/agent-error.ts';
import { loadConfig } from '../config/load-config.ts';
import { readClaim } from '../identity/claim-file.ts';
import { readProvisionFiles } from '../identity/provision-files.ts';
import { claimAlias, claimCodeText } from '../wire/claim-code.ts';

export interface ClaimOnScreen {
  readonly code: string;
  readonly alias: string;
  /** The code stands behind the `#`: no server and no proxy sees it. */
  readonly url: string;
  /** Unix seconds. */
  readonly until: number;
}

/** Null where the files are not there, or not as they should be: the daemon's reason says which. */
function claimUrlOf(configPath: string): string | null {
  try {
    return readProvisionFiles(loadConfig(configPath).config.provision_dir).claimUrl;
  } catch (error) {
    if (isAgentError(error)) return null;
    throw error;
  }
}

/** Null where no code was made here, it is over at `now` (Unix seconds), or nobody knows the address to open. */
export function shownClaim(stateDir: string, configPath: string, now: number): ClaimOnScreen | null {
  const claim = readClaim(stateDir);
  if (claim === null || claim.made_by !== 'device' || claim.until <= now) return null;
  const claimUrl = claimUrlOf(configPath);
  if (claimUrl === null) return null;
  const code = claimCodeText(claim.code);
  return { code, alias: claimAlias(claim.code), url: `${claimUrl}#${code.replaceAll('-', '')}`, until: claim.until };
}
