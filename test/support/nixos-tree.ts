// A folder shaped like the root of a NixOS machine, as far as the links go that say which system runs, was booted, and
// starts next.
import { lutimesSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface NixosTree {
  readonly dir: string;
  /** Makes a system in the store; systems with the same kernel need no restart between them. Returns its store path. */
  system(name: string, kernel: string): string;
  /** Points `/run/current-system` at a system, at a time in Unix seconds. */
  run(closure: string, at: number): void;
  boot(closure: string, at: number): void;
  /** A generation of the system profile. */
  generation(number: number, closure: string, at: number): void;
  /** What starts next. */
  setDefault(number: number): void;
  [Symbol.dispose](): void;
}

const BASE32 = '0123456789abcdfghijklmnpqrsvwxyz';

/** A store path whose hash part is made from its name. */
function storePath(name: string): string {
  const hash = Array.from({ length: 32 }, (_, i) => BASE32[(name.charCodeAt(i % name.length) * (i + 7)) % 32]).join('');
  return `/nix/store/${hash}-${name}`;
}

export function nixosTree(): NixosTree {
  const dir = mkdtempSync(join(tmpdir(), 'nixos-'));
  const profiles = join(dir, 'nix/var/nix/profiles');
  for (const path of ['run', 'nix/store', 'nix/var/nix/profiles']) mkdirSync(join(dir, path), { recursive: true });
  const link = (path: string, target: string, at?: number): void => {
    rmSync(path, { force: true });
    symlinkSync(target, path);
    if (at !== undefined) lutimesSync(path, at, at);
  };
  return {
    dir,
    system(name, kernel) {
      const closure = storePath(`nixos-system-${name}`);
      mkdirSync(join(dir, closure), { recursive: true });
      link(join(dir, closure, 'kernel'), `${storePath(kernel)}/bzImage`);
      link(join(dir, closure, 'kernel-modules'), `${storePath(kernel)}-modules`);
      link(join(dir, closure, 'initrd'), `${storePath(kernel)}-initrd/initrd`);
      return closure;
    },
    run: (closure, at) => link(join(dir, 'run/current-system'), closure, at),
    boot: (closure, at) => link(join(dir, 'run/booted-system'), closure, at),
    generation: (number, closure, at) => link(join(profiles, `system-${number}-link`), closure, at),
    setDefault: (number) => link(join(profiles, 'system'), `system-${number}-link`),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true }),
  };
}
