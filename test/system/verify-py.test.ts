import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { loadChecks } from '../../agent/daemon/load-checks.ts';
import { leafHash } from '../../agent/wire/merkle.ts';
import { ROOT_SHA256 } from '../support/cli-state.ts';
import { broughtAlong, bundleFiles, evidenceVectors, writeBundle } from '../support/evidence-vectors.ts';
import { makeReportState } from '../support/report-state.ts';
import { cli } from '../support/run-cli.ts';
import { makeAlertLog } from '../support/sample-log.ts';
import { makeTrust } from '../support/trust-fixtures.ts';
import { vectorJson } from '../support/vectors.ts';

const REPO = join(import.meta.dirname, '..', '..');
const FOLDER = join(REPO, 'docs', 'verify');
const VERIFIER = join(FOLDER, 'verify.py');
/** At once; each waits for OpenSSL most of the time. */
const PROCESSES = 4;

interface Log {
  readonly code: string | null;
  readonly seq: number | null;
  readonly size: number;
  readonly root: string;
  readonly signatures_skipped: number;
  readonly stored: number;
  readonly witnessed: number;
  readonly anchored: number;
}
interface Verdict {
  readonly verdict: string;
  readonly code?: string;
  readonly logs: readonly Log[];
}

const folder = mkdtempSync(join(tmpdir(), 'verify-py-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const missing = ['python3', 'openssl'].filter((tool) => spawnSync(tool, ['--version']).error !== undefined);
beforeEach((context) => {
  context.skip(missing.length > 0, `${missing.join(' and ')} not found`);
});

function verify(bundle: string, ...argv: string[]): Promise<{ status: number; verdict: Verdict }> {
  return new Promise((resolve, reject) => {
    const child = execFile('python3', [VERIFIER, bundle, '--json', ...argv], (error, stdout, stderr) => {
      if (stdout === '') reject(new Error(stderr, { cause: error }));
      else resolve({ status: child.exitCode ?? -1, verdict: JSON.parse(stdout) as Verdict });
    });
  });
}

/** Runs Python with the verifier as the module `verify`, without leaving compiled files beside it. */
function python(code: string, input: unknown): unknown {
  const head = `import sys, json; sys.dont_write_bytecode = True; sys.path.insert(0, ${JSON.stringify(FOLDER)}); import verify\n`;
  const run = spawnSync('python3', ['-c', head + code], { input: JSON.stringify(input), encoding: 'utf8' });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout);
}

describe('verify.py', () => {
  it('is a page that an auditor can read: 150 lines at most, and nothing imported but the standard library', () => {
    const text = readFileSync(VERIFIER, 'utf8');
    expect(text.split('\n').length - 1).toBeLessThanOrEqual(150);
    expect([...text.matchAll(/^(?:import|from) (.*)$/gm)].map((match) => match[1])).toEqual([
      'argparse, base64, functools, hashlib, json, pathlib, random, re, subprocess, sys, tempfile',
    ]);
  });

  it('comes to code and position of every vector of whole evidence, as evidence verify does', async () => {
    const vectors = evidenceVectors();
    const left = vectors.map((vector, i) => ({ vector, dir: join(folder, String(i)) }));
    const work = async (): Promise<void> => {
      for (let next = left.pop(); next !== undefined; next = left.pop()) {
        const { vector, dir } = next;
        writeBundle(dir, bundleFiles(vector));
        const { status, verdict } = await verify(dir, '--root-sha256', vector.rootSha256, ...broughtAlong(dir, vector));
        const [log] = verdict.logs;
        const what = `${vector.file}: ${vector.name}`;
        expect([what, verdict.code ?? log?.code ?? 'ok', log?.seq ?? null]).toEqual([what, vector.expect, vector.seq]);
        expect([what, status]).toEqual([what, vector.expect === 'ok' ? 0 : 4]);
        if (vector.expect === 'ok') expect([log?.size, log?.root]).toEqual([vector.size, vector.root]);
        if (vector.expect === 'origin_revoked') expect([what, log?.size]).toEqual([what, vector.seq]);
        if (vector.vouched !== undefined) expect({ what, ...log }).toMatchObject({ what, ...vector.vouched });
      }
    };
    await Promise.all(Array.from({ length: PROCESSES }, work));
    expect(vectors.length).toBeGreaterThanOrEqual(100);
  });

  it('judges a bundle without a list of revoked logs by the one that the auditor brings', async () => {
    const vector = evidenceVectors().find(({ name }) => name === 'the log is trusted up to an earlier size')!;
    const [dir, list] = [join(folder, 'unlisted'), join(folder, 'list')];
    writeBundle(dir, bundleFiles({ ...vector, revocations: [] }));
    writeFileSync(list, `${vector.revocations[0]}\n`);
    const argv = ['--root-sha256', vector.rootSha256];
    expect(await verify(dir, ...argv)).toMatchObject({ status: 0, verdict: { revocations: null } });
    const log = { code: 'origin_revoked', seq: 4, size: 4 };
    expect(await verify(dir, ...argv, '--revocations', list)).toMatchObject({
      status: 4,
      verdict: { verdict: 'NOT VERIFIED', revocations: 1, logs: [log] },
    });
  });

  it('reads strict JSON as the vectors say', () => {
    const { max_bytes, cases } = vectorJson<{
      max_bytes: number;
      cases: { name: string; hex: string; expect: string }[];
    }>('strict-json.json');
    const code = `
def code(case):
    try: verify.strict(bytes.fromhex(case), ${max_bytes})
    except verify.Bad as bad: return str(bad)
    return "ok"
print(json.dumps([code(case) for case in json.load(sys.stdin)]))`;
    const found = python(
      code,
      cases.map((c) => c.hex),
    ) as string[];
    cases.forEach((c, i) => expect([c.name, found[i]]).toEqual([c.name, c.expect]));
  });
});

describe('verify.py, given what evidence export wrote', () => {
  const state = makeReportState();
  const bundle = join(folder, 'bundle');
  afterAll(() => {
    rmSync(state.dir, { recursive: true, force: true });
  });
  beforeEach(async () => {
    const deps = { loadChecks: (path: string | null) => loadChecks(join(REPO, 'runbooks'), path) };
    rmSync(bundle, { recursive: true, force: true });
    const { code } = await cli(['evidence', 'export', '--state', state.dir, '--out', bundle], { deps });
    expect(code).toBe(0);
  });
  const given = ['--root-sha256', ROOT_SHA256];

  it('verifies every entry and says how far receipts and the witness reach', async () => {
    const { status, verdict } = await verify(bundle, ...given);
    expect([status, verdict.verdict]).toEqual([0, 'VERIFIED']);
    const { size, stored, witnessed } = state;
    expect(verdict.logs).toMatchObject([{ code: null, size, stored, witnessed, signatures_skipped: 0 }]);
  });

  it('runs from within the bundle, and the digests of MANIFEST are those of sha256sum', () => {
    const { status, stdout } = spawnSync('python3', ['verify.py', ...given], { cwd: bundle, encoding: 'utf8' });
    expect([status, stdout.split('\n')[0]]).toEqual([0, 'verdict: VERIFIED']);
    expect(spawnSync('sha256sum', ['--check', '--strict', '--quiet', 'MANIFEST'], { cwd: bundle }).status).toBe(0);
  });

  it('says UNTRUSTED ROOT where nobody vouches for the root, and refuses another digest', async () => {
    expect(await verify(bundle)).toMatchObject({ status: 8, verdict: { verdict: 'UNTRUSTED ROOT' } });
    const other = await verify(bundle, '--root-sha256', 'ab'.repeat(32));
    expect(other).toMatchObject({ status: 4, verdict: { verdict: 'NOT VERIFIED', code: 'root_digest_mismatch' } });
  });

  it.each<[string, string, (dir: string) => void]>([
    [
      'the report was changed',
      'bundle_mismatch',
      (dir) => writeFileSync(join(dir, 'report.html'), '<p>all is well</p>'),
    ],
    ['a file was added', 'bundle_mismatch', (dir) => writeFileSync(join(dir, 'views', 'more.csv'), '')],
    ['a file is missing', 'bundle_mismatch', (dir) => rmSync(join(dir, 'README.txt'))],
    ['MANIFEST is missing', 'bundle_invalid', (dir) => rmSync(join(dir, 'MANIFEST'))],
    ['MANIFEST is a web page', 'bundle_invalid', (dir) => writeFileSync(join(dir, 'MANIFEST'), '<html>\n')],
  ])('refuses it where %s', async (_, code, change) => {
    const dir = join(folder, 'changed');
    rmSync(dir, { recursive: true, force: true });
    cpSync(bundle, dir, { recursive: true });
    change(dir);
    expect(await verify(dir, ...given)).toMatchObject({ status: 4, verdict: { verdict: 'NOT VERIFIED', code } });
  });

  it('checks a seeded sample of the signatures of a long log, says what it skipped, and all with --all', () => {
    const log = makeAlertLog(makeTrust(), 40);
    // Entry 20 carries the signature of entry 21: everything but that one signature holds, to the end of the line 20.
    const [mine, theirs] = [20, 21].map((n) => JSON.parse(log.lines[n]!) as { signatures: unknown });
    const lines = [...log.lines.slice(0, 20), JSON.stringify({ ...mine, signatures: theirs!.signatures })];
    const trust = makeTrust();
    const dir = join(folder, 'sampled');
    writeBundle(dir, bundleFiles({ roots: [trust.root.line], lines, receipts: [], checkpoints: [] }));
    const code = `
import pathlib, types
verify.SAMPLE = 6
def run(seed, all):
    o = types.SimpleNamespace(bundle=pathlib.Path(${JSON.stringify(dir)}), root_sha256=None, seed=seed, all=all, anchor=None, revocations=None)
    v = verify.bundle(o)["logs"][0]
    return [v["code"], v["seq"], v["signatures_skipped"]]
print(json.dumps([[run(seed, False) for seed in range(4)], [run(seed, False) for seed in range(4)], run(0, True)]))`;
    const [first, again, all] = python(code, null) as [unknown[][], unknown[][], unknown[]];
    expect(again).toEqual(first);
    for (const [, , skipped] of first) expect(skipped).toBeGreaterThan(10);
    // The last entry is in every sample.
    for (const run of first) expect(run.slice(0, 2)).toEqual(['signature_invalid', 20]);
    expect(all).toEqual(['signature_invalid', 20, 0]);
  });
});

describe('the commands that docs/formats/entry.md gives', () => {
  it('verify the signature of an entry and its link to the one before', () => {
    const page = readFileSync(join(REPO, 'docs', 'formats', 'entry.md'), 'utf8');
    const commands = [...page.matchAll(/```sh\n(.*?)```/gs)].map((match) => match[1]!);
    const log = makeAlertLog(makeTrust(), 2);
    const dir = mkdtempSync(join(folder, 'by-hand-'));
    const run = (lines: readonly string[]): string[] => {
      writeFileSync(join(dir, 'log.jsonl'), lines.map((line) => `${line}\n`).join(''));
      return commands.map((command) => {
        const { status, stdout } = spawnSync('sh', ['-ec', command], { cwd: dir, encoding: 'utf8' });
        return `${status} ${stdout.trim()}`;
      });
    };
    const link = leafHash(log.lines[0]!).toString('hex');
    expect(run(log.lines)).toEqual(['0 Signature Verified Successfully', `0 ${link}`]);
    expect(run([log.lines[0]!, log.lines[1]!.replace('"sig":"', '"sig":"AAAA'), log.lines[2]!])[0]).not.toMatch(/^0/);
  });
});
