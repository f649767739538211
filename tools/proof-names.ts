// Holds the names of docs/proof.md against the tests that there are, in seconds and without running any of them.
// Usage: node tools/proof-names.ts
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { judgeLedger, readLedger, SUITES, type Suite, type TestResult } from './proof.ts';

const REPO = join(import.meta.dirname, '..');
const CONFIG: Readonly<Record<Suite, string>> = {
  'npm test': 'vitest.config.ts',
  'test:system': 'vitest.system.config.ts',
};

/** The tests of one suite as if they had passed. Files are run to collect them: half of their names come from tables. */
function named(suite: Suite, out: string): TestResult[] {
  const args = ['vitest', 'list', '--config', CONFIG[suite], '--no-static-parse', `--json=${out}`];
  const run = spawnSync('npx', args, { cwd: REPO, encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`${suite}: the tests cannot be listed: ${run.stderr}`);
  const tests = JSON.parse(readFileSync(out, 'utf8')) as { file: string; name: string }[];
  return tests.map(({ file, name }) => ({
    file: relative(REPO, file),
    name: name.split(' > ').at(-1) ?? name,
    fullName: name,
    state: 'passed',
    reason: null,
  }));
}

const dir = mkdtempSync(join(tmpdir(), 'proof-names-'));
try {
  const results = new Map(SUITES.map((suite, at) => [suite, named(suite, join(dir, `${at}.json`))]));
  const ledger = readLedger(readFileSync(join(REPO, 'docs/proof.md'), 'utf8'));
  const { problems } = judgeLedger(ledger, results, { local: false });
  for (const problem of problems) console.error(`docs/proof.md:${problem}`);
  console.log(`${ledger.length} rows, ${problems.length} problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
