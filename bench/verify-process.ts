// One measured run of bench/verify.ts in a process of its own: prints the seconds of CPU it took (all threads, the start of the
// process left out) and its largest resident set.
import { runCli } from '../agent/cli/program.ts';
import { loadChecks } from '../agent/daemon/load-checks.ts';
import { createEvidenceLog } from '../agent/evidence/log.ts';
import { openStore } from '../agent/store/open-store.ts';
import { systemClock } from '../agent/system/clock.ts';
import { createIds } from '../agent/system/ids.ts';
import { openBinding } from '../agent/trust/binding.ts';
import type { CliDeps } from '../agent/cli/deps.ts';
import { bindingLine, ENTRY_CONTEXT, finding } from '../test/support/evidence-fixtures.ts';
import { identity } from '../test/support/store-fixtures.ts';
import { makeTrust } from '../test/support/trust-fixtures.ts';
import { join } from 'node:path';

const FILL_BATCH = 2_000;

/** A store with an enrolled log of `size` entries. */
function fill(dir: string, size: number): void {
  const trust = makeTrust();
  const store = openStore({ dir, clock: systemClock });
  const log = createEvidenceLog({
    store,
    clock: systemClock,
    ids: createIds(systemClock),
    signer: trust.keys['device']!,
    binding: openBinding(trust.root.root, bindingLine()),
    context: () => ENTRY_CONTEXT,
  });
  const { observed_from: _from, observed_to: _to, ...body } = finding();
  while (log.size() < size) {
    const batch = Math.min(FILL_BATCH, size - log.size());
    store.unit(() => {
      for (let n = 0; n < batch; n++) log.append('finding', { ...body, previous_result: 'pass' });
    });
  }
  store.trust.addRoot({ version: 1, digest: trust.root.digest, line: trust.root.line });
  store.trust.saveIdentity({ ...identity, origin: log.origin, bindingLine: bindingLine() });
  store.close();
}

async function command(...argv: string[]): Promise<void> {
  const silent = { write: () => undefined, isTTY: false };
  const deps = {
    stdout: silent,
    stderr: silent,
    env: {},
    clock: systemClock,
    build: { version: '0.1.0', nixosRevision: null },
    loadChecks: (path: string | null) => loadChecks(join(import.meta.dirname, '..', 'runbooks'), path),
  } as unknown as CliDeps;
  const code = await runCli(argv, deps);
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}`);
}

const [mode = '', first = '', second = ''] = process.argv.slice(2);
const start = process.cpuUsage();
if (mode === 'fill') fill(first, Number(second));
else if (mode === 'verify') await command('evidence', 'verify', first, '--root-sha256', second);
else if (mode === 'export') await command('evidence', 'export', '--state', first, '--out', second);
else throw new Error(`no such mode: ${mode}`);
const { user, system } = process.cpuUsage(start);
const seconds = (user + system) / 1e6;
process.stdout.write(JSON.stringify({ seconds, mib: process.resourceUsage().maxRSS / 1_024 }));
