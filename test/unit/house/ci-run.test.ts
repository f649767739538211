// .ci/run itself, on a small repository whose steps are as good or as bad as a test wants them.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
const HIDDEN = ['python3', 'make', 'g++', 'gcc', 'cc'];
/** What the steps of the small repository do: they write the results that a run of tests would leave. */
const PASSING = JSON.stringify(
  [{ file: 'a', name: 'it holds', fullName: 'it holds', state: 'passed', reason: null }],
  null,
  1,
);

let dir: string;
let ran: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'ci-run-'));
  ran = join(dir, 'ran');
  // Who is not root gets the system packages by sudo; nothing is installed here.
  mkdirSync(join(dir, 'bin'));
  writeFileSync(join(dir, 'bin/sudo'), '#!/bin/sh\nexec "$@"\n');
  chmodSync(join(dir, 'bin/sudo'), 0o755);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const ledger = (test: string): string =>
  `| promise | test | suite | state |\n| - | - | - | - |\n| p | ${test} | npm test | proven |\n`;

/** A repository with the real .ci/run in it. Its first command notes which tools it sees. */
function repository(
  name: string,
  files: Readonly<Record<string, string>> = {},
  ownScripts: Readonly<Record<string, string>> = {},
): string {
  const repo = join(dir, name);
  const results = 'cp results.json "$VITEST_RESULTS"; true';
  const scripts = {
    ...Object.fromEntries(['types', 'lint', 'format:check', 'docs:check', 'bench'].map((step) => [step, 'true'])),
    test: `${results} --`,
    'test:system': `${results} --`,
    proof: `"${process.execPath}" "${join(ROOT, 'tools/proof.ts')}"`,
    ...ownScripts,
  };
  const all: Record<string, string> = {
    'package.json': JSON.stringify({ name: 'small', scripts }),
    'results.json': PASSING,
    'docs/proof.md': ledger('it holds'),
    'README.md': '<!-- commands -->\n\n```sh\nsh look.sh\necho second >> "$RAN"\n```\n\n<!-- /commands -->\n',
    'look.sh': `for tool in ${HIDDEN.join(' ')}; do command -v $tool >> "$RAN"; done\nnode --version >> "$RAN"\n`,
    'tools/install-system-packages.sh': '#!/bin/sh\ntrue\n',
    ...files,
  };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(repo, path)), { recursive: true });
    writeFileSync(join(repo, path), text);
  }
  chmodSync(join(repo, 'tools/install-system-packages.sh'), 0o755);
  cpSync(join(ROOT, '.ci'), join(repo, '.ci'), { recursive: true });
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', repo, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args]);
  git('init', '--quiet');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'All');
  return repo;
}

/** A folder with a `node` that says that it is of this version, and is the Node of this test otherwise. */
function nodeOf(version: string): string {
  const folder = join(dir, `node-${version}`);
  mkdirSync(folder, { recursive: true });
  const script = `#!/bin/sh\n[ "$*" = --version ] && echo ${version} && exit\nexec "${process.execPath}" "$@"\n`;
  writeFileSync(join(folder, 'node'), script);
  chmodSync(join(folder, 'node'), 0o755);
  return folder;
}

function ciRun(
  repo: string,
  node = join(dir, 'bin'),
): { status: number | null; out: string; last: string | undefined } {
  rmSync(ran, { force: true });
  const env = { ...process.env, RAN: ran, PATH: `${node}:${join(dir, 'bin')}:${process.env['PATH']}` };
  // A socket for stdin would make bash believe in a remote login and read ~/.bashrc, which may change the path.
  const stdio = ['ignore', 'pipe', 'pipe'] as const;
  const { status, stdout, stderr } = spawnSync(join(repo, '.ci/run'), { env, encoding: 'utf8', stdio: [...stdio] });
  return { status, out: stdout + stderr, last: stdout.trimEnd().split('\n').at(-1) };
}

// Each run is a dozen npm commands and a folder of links to every tool of the machine.
describe('.ci/run', { timeout: 300_000 }, () => {
  it('takes the commands of the README as they stand: npm ci, then npm run demo', () => {
    const script = readFileSync(join(ROOT, '.ci/run'), 'utf8');
    const body = /^readme_commands\(\) \{\n.*?^\}$/ms.exec(script)?.[0] ?? '';
    const out = execFileSync('bash', ['-c', `checkout=$1; ${body}\nreadme_commands`, 'bash', ROOT], {
      encoding: 'utf8',
    });
    expect(out.trim().split('\n')).toEqual(['npm ci', 'npm run demo']);
  });

  it('runs them in a fresh clone, in order, where no Python, make or compiler is found, and passes when all passes', () => {
    const { status, out, last } = ciRun(repository('good'));
    expect([status, last], out).toEqual([0, '2 passed, 0 failed']);
    expect(readFileSync(ran, 'utf8').trim().split('\n')).toEqual([expect.stringMatching(/^v\d+\./), 'second']);
  });

  it('fails when a command of the README fails, and says which', () => {
    const readme = '<!-- commands -->\n```sh\nfalse\n```\n<!-- /commands -->\n';
    const { status, out } = ciRun(repository('bad-readme', { 'README.md': readme }));
    expect(status, out).toBe(1);
    expect(out).toContain('failed step: README: false');
  });

  it('fails when a measurement of the bench does not run', () => {
    const { status, out } = ciRun(repository('bad-bench', {}, { bench: 'false --' }));
    expect(status, out).toBe(1);
    expect(out).toContain('failed step: bench, tiny sizes');
  });

  it('fails when a test that the ledger names did not run', () => {
    const { status, out } = ciRun(repository('bad-ledger', { 'docs/proof.md': ledger('it holds for ever') }));
    expect(status, out).toBe(1);
    expect(out).toContain('the test "it holds for ever" did not run');
    expect(out.split('failed step: proof ledger; it printed last:\n')[1]).toContain('"it holds for ever" did not run');
  });

  it('refuses a Node older than 20 before it runs anything, and takes Node 20', () => {
    const repo = repository('old-node');
    const { status, out, last } = ciRun(repo, nodeOf('v19.9.0'));
    expect([status, last], out).toEqual([1, '0 passed, 1 failed']);
    expect(out).toContain('node v19.9.0');
    expect(out).toContain('Node 20 or later is needed');
    expect(() => readFileSync(ran)).toThrow('ENOENT');
    expect(ciRun(repo, nodeOf('v20.0.0'))).toMatchObject({ status: 0, last: '2 passed, 0 failed' });
  });

  it('refuses a checkout with uncommitted changes', () => {
    const repo = repository('dirty');
    writeFileSync(join(repo, 'README.md'), 'changed\n');
    const { status, last } = ciRun(repo);
    expect([status, last]).toEqual([1, '0 passed, 1 failed']);
  });
});
