// The real PowerShell of this machine, where there is one.
import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What the lab's scripts need of it; Windows PowerShell 5.1 is held against a grammar instead (test/unit/runbooks/). */
const MIN_VERSION = [7, 4];

export interface PowerShell {
  readonly path: string;
  /** As `$PSVersionTable.PSVersion` says. */
  readonly version: string;
}

/** No colours and no cursor movements in what it prints. */
export const QUIET_TERMINAL = { NO_COLOR: '1', TERM: 'dumb' } as const;

function onPath(): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, 'pwsh');
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  return null;
}

let found: PowerShell | null | undefined;

/**
 * `PWSH` of the environment, else `pwsh` of the PATH; null where there is neither.
 *
 * @throws where `PWSH` names something that is no PowerShell of at least 7.4: nobody who asked for real runs gets recordings
 */
export function findPowerShell(): PowerShell | null {
  if (found !== undefined) return found;
  const asked = process.env['PWSH'];
  const path = asked !== undefined && asked !== '' ? asked : onPath();
  if (path === null) return (found = null);
  const args = ['-NoLogo', '-NoProfile', '-NonInteractive', '-Command', '"$($PSVersionTable.PSVersion)"'];
  const version = execFileSync(path, args, {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, ...QUIET_TERMINAL },
  }).trim();
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [minMajor = 0, minMinor = 0] = MIN_VERSION;
  if (major < minMajor || (major === minMajor && minor < minMinor)) {
    throw new Error(`${path} is PowerShell ${version}; the lab needs at least ${MIN_VERSION.join('.')}`);
  }
  return (found = { path, version });
}
