// `version`: which build this is.
import { EXIT } from '../errors/exit-codes.ts';
import type { CliContext } from './deps.ts';
import { print } from './print.ts';

export function version(context: CliContext): number {
  const { build } = context;
  const value = { version: build.version, node: process.versions.node, nixos_revision: build.nixosRevision };
  print(context, 'version', value, () => [
    `compliance-agent ${build.version}`,
    `node ${value.node}`,
    ...(build.nixosRevision === null ? [] : [`nixos ${build.nixosRevision}`]),
  ]);
  return EXIT.ok;
}
