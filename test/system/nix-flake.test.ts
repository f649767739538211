// The flake without nixpkgs: which outputs there are, what they are made of, and that what Nix would copy is enough to build from.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { nixInstantiate, nixProblem } from '../../tools/evaluate-module.ts';
import { readPin } from '../../tools/npm-deps.ts';

const REPO = join(import.meta.dirname, '../..');
const problem = nixProblem();

interface Flake {
  readonly outputs: readonly string[];
  readonly inputs: Readonly<Record<string, string>>;
  readonly packages: Readonly<Record<string, string>>;
  readonly modules: readonly string[];
  readonly configurations: Readonly<Record<string, number>>;
  readonly checks: Readonly<Record<string, unknown>>;
  /** Python of the tests in virtual machines. */
  readonly scripts: Readonly<Record<string, string>>;
  readonly shells: readonly string[];
  /** Files and folders that each derivation is given. */
  readonly sources: Readonly<Record<'agent' | 'central' | 'installer', readonly string[]>>;
  readonly dependencies: Readonly<Record<string, { readonly name: string; readonly hash: string }>>;
}

let flake: Flake;
beforeAll(() => {
  if (problem === null)
    flake = JSON.parse(nixInstantiate('--eval', '--strict', '--json', 'nix/eval/flake.nix')) as Flake;
});
beforeEach((context) => context.skip(problem !== null, problem ?? ''));

describe('the outputs of the flake, with a stand-in for nixpkgs', () => {
  it('are the packages, modules, systems, checks and the shell that the documents name', () => {
    expect(flake.inputs).toEqual({ nixpkgs: 'github:NixOS/nixpkgs/nixos-26.05' });
    expect(flake.packages).toMatchObject({
      agent: 'compliance-agent',
      central: 'central-command',
      installer: 'compliance-installer',
      iso: 'iso',
    });
    expect(flake.modules).toEqual(expect.arrayContaining(['appliance', 'central', 'compliance-agent']));
    expect(flake.configurations).toEqual({ appliance: 3, installer: 2 });
    expect(flake.shells).toEqual(['default']);
  });

  it('has a test in a virtual machine for the service, boot, provisioning, egress, update and TPM', () => {
    expect(flake.checks).toMatchObject({
      'vm-service': ['appliance'],
      'vm-boot': ['appliance'],
      'vm-provisioning': ['appliance', 'central'],
      'vm-egress': ['appliance', 'central'],
      'vm-update': ['appliance', 'broken', 'good'],
      'vm-tpm': ['appliance'],
    });
  });

  it('the scripts of those tests are Python', () => {
    const scripts = Object.entries(flake.scripts).filter(([name]) => name.startsWith('vm-'));
    expect(scripts).toHaveLength(6);
    for (const [name, script] of scripts) {
      const parsed = spawnSync('python3', ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'], {
        input: script,
        encoding: 'utf8',
      });
      expect([name, parsed.status, parsed.stderr]).toEqual([name, 0, '']);
    }
  });

  it('the libraries of each package have the pinned hash, and the digest of the lock in their name', () => {
    const { hashes, lock_sha256: lock } = readPin();
    const digest = lock.slice(0, 16);
    expect(flake.dependencies).toEqual({
      agentDeps: { name: `compliance-agent-deps-${digest}`, hash: hashes['compliance-agent'] },
      centralDeps: { name: `central-command-deps-${digest}`, hash: hashes['central-command'] },
    });
  });

  it.each([
    ['agent' as const, 'compliance-agent', ['version']],
    ['central' as const, 'central-command', ['init', '--help']],
  ])('what Nix copies for %s is enough to build a program that starts', (output, program, argv) => {
    const lab = mkdtempSync(join(tmpdir(), 'sources-'));
    try {
      for (const path of flake.sources[output]) {
        const to = join(lab, path.slice(REPO.length));
        mkdirSync(dirname(to), { recursive: true });
        cpSync(path, to, { recursive: true });
      }
      const out = join(lab, 'out');
      const build = ['tools/install-tree.ts', process.execPath, join(REPO, 'node_modules'), out, program];
      const built = spawnSync(process.execPath, build, { cwd: lab, encoding: 'utf8' });
      expect(built.status, built.stderr).toBe(0);
      const ran = spawnSync(join(out, 'bin', program), argv, { encoding: 'utf8' });
      expect([ran.status, ran.stderr]).toEqual([0, '']);
    } finally {
      rmSync(lab, { recursive: true, force: true });
    }
  });
});
