// Evaluates nix/module.nix without building anything: with our own few words of `lib`, or with nixpkgs' where it is named.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const REPO = join(import.meta.dirname, '..');

export interface Evaluated {
  /** Messages of assertions that failed. */
  readonly refused: readonly string[];
  /** Empty where anything was refused. */
  readonly units: Readonly<Record<string, string>>;
  /** Other files of the machine (tables of nftables, rules of udev and polkit, …) by their path without the first slash. */
  readonly files: Readonly<Record<string, string>>;
  /** What nix/appliance.nix sets of NixOS; nothing without it. */
  readonly machine: Readonly<Record<string, unknown>>;
  /** `nix.settings`, whichever module sets them. */
  readonly nixSettings: Readonly<Record<string, unknown>>;
  readonly configText: string;
  /** Shell script by which Nix builds that file: from `textPath` to `out`. */
  readonly configCheck: string;
  /** JavaScript for polkit: who may start which unit. */
  readonly polkitRule: string;
  readonly user: { readonly uid: number; readonly group: string; readonly isSystemUser: boolean };
  /** Keys of the configuration file that options lead to. */
  readonly keys: readonly string[];
  readonly options: readonly {
    readonly name: string;
    readonly type: string;
    readonly default: unknown;
    readonly required: boolean;
    readonly description: string;
  }[];
}

/** Why nothing can be evaluated here, or null. */
export function nixProblem(): string | null {
  return spawnSync('nix-instantiate', ['--version']).status === 0 ? null : 'needs nix-instantiate (Debian: nix-bin)';
}

/** Why nixpkgs' own `lib` cannot be used here, or null. */
export const nixpkgsProblem = (): string | null =>
  nixProblem() ??
  ((process.env['NIXPKGS_LIB'] ?? '') === '' ? "needs NIXPKGS_LIB, the path of nixpkgs' folder `lib`" : null);

export interface EvaluateOptions {
  /** Nix text: an attribute set. */
  readonly settings?: string;
  readonly withNixpkgs?: boolean;
  /** With nix/appliance.nix beside the module. */
  readonly appliance?: boolean;
  /** Of NixOS: where options are called otherwise, both names are known to the modules. */
  readonly release?: '26.05' | '26.11';
  /** Where the package counts as installed. */
  readonly prefix?: string;
}

/** The settings of the appliance that stands in nix/golden: the least that is accepted. */
export const GOLDEN_SETTINGS = '{ resellerId = "northwind-msp"; }';

/** @throws Error with what nix-instantiate said */
export function evaluateModule(options: EvaluateOptions = {}): Evaluated {
  const { settings = GOLDEN_SETTINGS, withNixpkgs = false, appliance = false, release, prefix } = options;
  const argv = ['--eval', '--strict', '--json', 'nix/eval', '--arg', 'settings', settings];
  if (withNixpkgs) argv.push('--argstr', 'libPath', process.env['NIXPKGS_LIB'] ?? '');
  if (appliance) argv.push('--arg', 'appliance', 'true');
  if (release !== undefined) argv.push('--argstr', 'release', release);
  if (prefix !== undefined) argv.push('--argstr', 'prefix', prefix);
  return JSON.parse(nixInstantiate(...argv)) as Evaluated;
}

export interface EvaluatedCentral {
  readonly refused: readonly string[];
  readonly units: Readonly<Record<string, string>>;
  /** TCP ports that the firewall lets in. */
  readonly ports: readonly number[];
  readonly options: readonly Omit<Evaluated['options'][number], 'type'>[];
}

/** nix/central.nix, as {@link evaluateModule} does nix/module.nix. @throws Error with what nix-instantiate said */
export function evaluateCentral(options: Pick<EvaluateOptions, 'settings' | 'withNixpkgs' | 'prefix'> = {}) {
  const { settings = '{ }', withNixpkgs = false, prefix } = options;
  const argv = ['--eval', '--strict', '--json', 'nix/eval/central.nix', '--arg', 'settings', settings];
  if (withNixpkgs) argv.push('--argstr', 'libPath', process.env['NIXPKGS_LIB'] ?? '');
  if (prefix !== undefined) argv.push('--argstr', 'prefix', prefix);
  return JSON.parse(nixInstantiate(...argv)) as EvaluatedCentral;
}

/** Runs in the checkout; nothing is built or put into a store. @throws Error with what nix-instantiate said */
export function nixInstantiate(...args: string[]): string {
  const result = spawnSync('nix-instantiate', ['--store', 'dummy://', ...args], { cwd: REPO, encoding: 'utf8' });
  if (result.status !== 0) throw new Error(result.stderr);
  return result.stdout;
}
