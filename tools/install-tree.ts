// Lays the agent out as an appliance runs it: JavaScript without types, the libraries that it needs and no more, a launcher.
// `node tools/install-tree.ts NODE NODE_MODULES OUT`; nix/package.nix, docs/appliance.md and the tests all use it.
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { stripTree } from './strip-types.ts';

const repo = join(import.meta.dirname, '..');

interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/** Libraries of the agent itself, in all depths; not those of Central Command, of tests, or for types only. Pure. */
export function librariesOf(lock: Lock): string[] {
  const found = new Set<string>();
  const visit = (locked: LockedPackage): void => {
    for (const name of Object.keys({ ...locked.dependencies, ...locked.optionalDependencies })) {
      if (found.has(name)) continue;
      found.add(name);
      const next = lock.packages[`node_modules/${name}`];
      if (next === undefined) throw new Error(`package-lock.json does not say where ${name} is`);
      visit(next);
    }
  };
  const own = lock.packages[''];
  visit(own?.dependencies === undefined ? {} : { dependencies: own.dependencies });
  return [...found].toSorted();
}

/** Read by compilers and people, never by the running agent. */
const NOT_RUN = /\.(?:[cm]?ts|map|md|gyp|c|cc|cpp|h|hh|hpp|inc|S|s|asm)$/;
/** Sources of binaries, and builds for another C library than glibc. */
const NOT_NEEDED = [/^better-sqlite3\/(?:deps|src)$/, /^koffi\/(?:doc|lib|vendor)$/, /\/musl_[^/]+$/];
const FOREIGN_PREBUILD = new RegExp(`^better-sqlite3/prebuilds/(?!linux-${process.arch}\\.node$)`);

/** `path` is relative to the folder of all libraries. Licences stay. */
function isShipped(path: string): boolean {
  return !NOT_RUN.test(basename(path)) && !NOT_NEEDED.some((one) => one.test(path)) && !FOREIGN_PREBUILD.test(path);
}

/** What the launcher gives Node: no types stripped at run time, no signal opens a debugger port, a small young generation. */
const NODE_FLAGS = ['--no-strip-types', '--disable-sigusr1', '--max-semi-space-size=1'];
/**
 * For `run` alone: `--expose-gc` lets the daemon collect at rest (agent/system/give-back-memory.ts), and then code that did not
 * run since the last time goes too: most of it ran once, at the start.
 */
export const DAEMON_FLAGS: readonly string[] = ['--expose-gc', '--bytecode-old-age=1', '--flush-baseline-code'];
/** glibc: one heap for all threads, and its free end goes back to the kernel from 128 KiB on. */
const MALLOC = 'MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072';

/** The shell script that starts `main` with `node`; `exec` keeps the process id that systemd knows. Pure. */
export function launcherOf(node: string, main: string): string {
  const [always, daemon] = [NODE_FLAGS.join(' '), DAEMON_FLAGS.join(' ')];
  return [
    '#!/bin/sh',
    `export ${MALLOC}`,
    `if [ "$1" = run ]; then exec ${node} ${always} ${daemon} ${main} "$@"; fi`,
    `exec ${node} ${always} ${main} "$@"`,
    '',
  ].join('\n');
}

/**
 * @param node absolute path of the Node that will run it
 * @param modules where npm installed, with or without what is not needed here
 */
export function installTree(node: string, modules: string, out: string): void {
  const lib = join(out, 'lib/compliance-agent');
  stripTree(lib);
  const lock = JSON.parse(readFileSync(join(repo, 'package-lock.json'), 'utf8')) as Lock;
  for (const name of librariesOf(lock)) {
    const filter = (from: string): boolean => isShipped(relative(modules, from));
    // Optional ones for other platforms were not installed.
    try {
      cpSync(join(modules, name), join(lib, 'node_modules', name), { recursive: true, dereference: true, filter });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || !name.startsWith('@koromix/')) throw error;
    }
  }
  mkdirSync(join(out, 'bin'), { recursive: true });
  const launcher = join(out, 'bin/compliance-agent');
  const main = join(lib, 'agent/main.js');
  writeFileSync(launcher, launcherOf(node, main));
  chmodSync(launcher, 0o755);
}

if (import.meta.main) {
  const [node, modules, out] = process.argv.slice(2);
  if (node === undefined || modules === undefined || out === undefined) {
    process.stderr.write('usage: node tools/install-tree.ts NODE NODE_MODULES OUT\n');
    process.exitCode = 2;
  } else installTree(node, modules, out);
}
