import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadChecks } from '../../agent/daemon/load-checks.ts';
import { bindingLine, trust, withLog } from '../support/evidence-fixtures.ts';
import { appendFindings, DAY_S, prune, saveCheckpoint, saveReceipt } from '../support/prunable-log.ts';
import { cli } from '../support/run-cli.ts';
import { identity } from '../support/store-fixtures.ts';
import { NOW } from '../support/trust-fixtures.ts';

const REPO = join(import.meta.dirname, '..', '..');
const deps = { loadChecks: (path: string | null) => loadChecks(join(REPO, 'runbooks'), path) };

it('a bundle of a log whose oldest lines were pruned verifies with Python and OpenSSL', async (ctx) => {
  const missing = ['python3', 'openssl'].filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
  ctx.skip(missing.length > 0, `needs ${missing.join(', ')}`);
  await withLog(async (open, dir) => {
    const { store, log } = open;
    store.trust.addRoot({ version: 1, digest: trust.root.digest, line: trust.root.line });
    store.trust.saveIdentity({ ...identity, origin: log.origin, bindingLine: bindingLine() });
    appendFindings(open, 599);
    saveReceipt(store, 400, NOW - 91 * DAY_S);
    saveCheckpoint(store, 400);
    expect(await prune(store)).toEqual({ removed: 255, size: 256 });
    const bundle = join(dir, 'bundle');
    const made = await cli(['evidence', 'export', '--state', dir, '--out', bundle, '--json'], { deps });
    expect(made.json()).toMatchObject({ verified: true });
    const said = execFileSync('python3', [
      join(bundle, 'verify.py'),
      bundle,
      '--root-sha256',
      trust.root.digest,
      '--json',
    ]);
    expect(JSON.parse(said.toString())).toMatchObject({ verdict: 'VERIFIED', logs: [{ code: null, size: 600 }] });
  });
}, 120_000);
