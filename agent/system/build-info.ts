// Which build of the agent this is, on which system closure.
import { readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Facts of the package and the running system, not of the site. */
export interface BuildInfo {
  /** Semantic version of the package. */
  readonly version: string;
  /** What NixOS calls its version; null on other systems, and where it is none. */
  readonly nixosRevision: string | null;
  /** Hash in the store name of the running system closure, without the rest of the name: that holds the host's. Null elsewhere. */
  readonly derivationDigest: string | null;
}

/** `26.05.20260914.3ff0e34`, `26.05pre-git`: release, then what Nixpkgs adds. */
const REVISION = /^[0-9]{2}\.[0-9]{2}[0-9a-z.+-]{0,70}$/;
/** `/nix/store/<hash>-nixos-system-<host name>-<version>`: 160 bits in Nix's base 32. */
const STORE_NAME = /^([0-9a-df-np-sv-z]{32})-/;

/** `packageDir` holds package.json. `systemDir` is `/run/current-system` on NixOS. */
export function readBuildInfo(packageDir: string, systemDir = '/run/current-system'): BuildInfo {
  const { version } = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8')) as { version: string };
  return {
    version,
    nixosRevision: orNull(() => REVISION.exec(readFileSync(join(systemDir, 'nixos-version'), 'utf8').trim())?.[0]),
    derivationDigest: orNull(() => STORE_NAME.exec(basename(readlinkSync(systemDir)))?.[1]),
  };
}

/** Null where the file is missing or says something else: this is no NixOS. */
function orNull(read: () => string | undefined): string | null {
  try {
    return read() ?? null;
  } catch {
    return null;
  }
}
