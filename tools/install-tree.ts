// Lays a program out as a machine runs it: JavaScript without types, the libraries that it needs and no more, a launcher.
// `node tools/install-tree.ts NODE NODE_MODULES OUT [central-command]`, the agent without the last word; nix/package.nix,
// nix/central-package.nix, docs/appliance.md and the tests all use it.
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { allowedRooms, CENTRAL_IMPORTS, PACKAGES, type RoomName } from './rooms.ts';
import { stripTree } from './strip-types.ts';

const repo = join(import.meta.dirname, '..');

interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

export type ProgramName = 'compliance-agent' | 'central-command';

/** Rooms of the agent that Central Command imports, and what those import. */
function sharedRooms(): RoomName[] {
  const found = new Set<RoomName>();
  const visit = (room: RoomName): void => {
    if (found.has(room)) return;
    found.add(room);
    for (const next of allowedRooms(room)) visit(next);
  };
  for (const room of CENTRAL_IMPORTS) visit(room);
  return [...found];
}

/** Where a program's sources lie, and of whose libraries (in package-lock.json) it needs which. */
const PROGRAMS: Readonly<
  Record<
    ProgramName,
    {
      readonly folders: readonly string[];
      readonly owners: readonly string[];
      readonly needs: (library: string) => boolean;
    }
  >
> = {
  'compliance-agent': { folders: ['agent'], owners: [''], needs: () => true },
  'central-command': {
    folders: ['central', ...sharedRooms().map((room) => `agent/${room}`)],
    owners: ['', 'central'],
    needs: (library) => (PACKAGES[library] ?? []).some((home) => ['central', ...sharedRooms()].includes(home)),
  },
};

/** Libraries of a program itself, in all depths; not those of the other one, of tests, or for types only. Pure. */
export function librariesOf(lock: Lock, program: ProgramName = 'compliance-agent'): string[] {
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
  const { owners, needs } = PROGRAMS[program];
  for (const owner of owners) {
    const direct = Object.entries(lock.packages[owner]?.dependencies ?? {}).filter(([name]) => needs(name));
    visit({ dependencies: Object.fromEntries(direct) });
  }
  return [...found].toSorted();
}

/** Read by compilers and people, never by the running agent. */
const NOT_RUN = /\.(?:[cm]?ts|map|md|gyp|c|cc|cpp|h|hh|hpp|inc|S|s|asm)$/;
/** Sources of binaries, and builds for another C library than glibc. */
const NOT_NEEDED = [
  /^better-sqlite3\/(?:deps|src)$/,
  /^koffi\/(?:doc|lib|vendor)$/,
  /\/musl_[^/]+$/,
  /^@(?:aws-sdk|aws|smithy)\/.*\/dist-(?:es|types)$/,
];
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

/** The script that starts Central Command. Pure. */
const centralLauncherOf = (node: string, main: string): string =>
  `#!/bin/sh\nexec ${node} --no-strip-types --disable-sigusr1 ${main} "$@"\n`;

/**
 * @param node absolute path of the Node that will run it
 * @param modules where npm installed, with or without what is not needed here
 */
export function installTree(
  node: string,
  modules: string,
  out: string,
  program: ProgramName = 'compliance-agent',
): void {
  const lib = join(out, 'lib', program);
  stripTree(lib, PROGRAMS[program].folders);
  const lock = JSON.parse(readFileSync(join(repo, 'package-lock.json'), 'utf8')) as Lock;
  for (const name of librariesOf(lock, program)) {
    const filter = (from: string): boolean => isShipped(relative(modules, from));
    // Optional ones for other platforms were not installed.
    try {
      cpSync(join(modules, name), join(lib, 'node_modules', name), { recursive: true, dereference: true, filter });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || !name.startsWith('@koromix/')) throw error;
    }
  }
  mkdirSync(join(out, 'bin'), { recursive: true });
  const launcher = join(out, 'bin', program);
  const isAgent = program === 'compliance-agent';
  const main = join(lib, isAgent ? 'agent/main.js' : 'central/main.js');
  writeFileSync(launcher, (isAgent ? launcherOf : centralLauncherOf)(node, main));
  chmodSync(launcher, 0o755);
}

if (import.meta.main) {
  const [node, modules, out, program = 'compliance-agent'] = process.argv.slice(2);
  if (node === undefined || modules === undefined || out === undefined || !(program in PROGRAMS)) {
    process.stderr.write('usage: node tools/install-tree.ts NODE NODE_MODULES OUT [central-command]\n');
    process.exitCode = 2;
  } else installTree(node, modules, out, program as ProgramName);
}
