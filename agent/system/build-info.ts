// Which build of the agent this is, on which system closure.
import { readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Facts of the package and the running system, not of the site. */
export interface BuildInfo {
  /** Semantic version of the package. */
  readonly version: string;
  /** What NixOS calls its version; null on other systems. */
  readonly nixosRevision: string | null;
  /** Store name of the running system closure; null on other systems. */
  readonly derivationDigest: string | null;
}

/** Fields of an entry are at most so long. */
const MAX_REVISION = 80;
const MAX_CLOSURE = 120;

/** `packageDir` holds package.json. `systemDir` is `/run/current-system` on NixOS. */
export function readBuildInfo(packageDir: string, systemDir = '/run/current-system'): BuildInfo {
  const { version } = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8')) as { version: string };
  return {
    version,
    nixosRevision: orNull(() => readFileSync(join(systemDir, 'nixos-version'), 'utf8').trim().slice(0, MAX_REVISION)),
    derivationDigest: orNull(() => basename(readlinkSync(systemDir)).slice(0, MAX_CLOSURE)),
  };
}

/** Null where the file is missing or empty: this is no NixOS. */
function orNull(read: () => string): string | null {
  try {
    return read() || null;
  } catch {
    return null;
  }
}
