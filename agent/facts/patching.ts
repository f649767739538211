// Reads how current the system is: NixOS by its links, Debian-like ones by apt.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readAptSystem, type AptSystem } from './apt-system.ts';
import { readNixosSystem, type NixosSystem } from './nixos-system.ts';
import { Unreadable, type Probe } from './probe.ts';

export type PatchingFacts = NixosSystem | AptSystem;

const DPKG_STATUS = 'var/lib/dpkg/status';

export const patchingProbe: Probe<PatchingFacts> = {
  name: 'patching',
  async read(context) {
    const rootDir = context.rootDir ?? '/';
    const nixos = readNixosSystem(rootDir);
    if (nixos !== null) return nixos;
    if (existsSync(join(rootDir, DPKG_STATUS))) return readAptSystem(context, rootDir);
    throw new Unreadable('missing_tool', 'this is neither NixOS nor a system with dpkg and apt');
  },
};
