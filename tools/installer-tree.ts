// Lays the installer out as the stick runs it: its own JavaScript beside links into the tree of the agent, whose rooms and libraries it
// uses. `node tools/installer-tree.ts NODE AGENT OUT`; AGENT is what tools/install-tree.ts made. Used by iso/package.nix and a test.
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripModule } from './strip-types.ts';

const SOURCE = join(import.meta.dirname, '../iso/installer');
const NODE_FLAGS = '--no-strip-types --disable-sigusr1';

/**
 * @param node absolute path of the Node that will run it
 * @param agent folder with `lib/compliance-agent`
 */
export function installerTree(node: string, agent: string, out: string): void {
  const lib = join(out, 'lib');
  const own = join(lib, 'iso/installer');
  mkdirSync(own, { recursive: true });
  for (const name of ['agent', 'node_modules', 'package.json']) {
    symlinkSync(join(agent, 'lib/compliance-agent', name), join(lib, name));
  }
  for (const name of readdirSync(SOURCE)) {
    const text = stripModule(readFileSync(join(SOURCE, name), 'utf8'));
    writeFileSync(join(own, name.replace(/\.ts$/, '.js')), text);
  }
  mkdirSync(join(out, 'bin'));
  const launcher = join(out, 'bin/compliance-installer');
  writeFileSync(launcher, `#!/bin/sh\nexec ${node} ${NODE_FLAGS} ${join(own, 'main.js')} "$@"\n`);
  chmodSync(launcher, 0o755);
}

if (import.meta.main) {
  const [node, agent, out] = process.argv.slice(2);
  if (node === undefined || agent === undefined || out === undefined) {
    process.stderr.write('usage: node tools/installer-tree.ts NODE AGENT OUT\n');
    process.exitCode = 2;
  } else installerTree(node, agent, out);
}
