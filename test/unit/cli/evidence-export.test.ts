import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripTree } from '../../../tools/strip-types.ts';
import { loadChecks } from '../../../agent/daemon/load-checks.ts';
import { MANIFEST_FILE } from '../../../agent/report/manifest.ts';
import { makeCliState, ROOT_SHA256, type CliState } from '../../support/cli-state.ts';
import { makeReportState, type ReportState } from '../../support/report-state.ts';
import { cli } from '../../support/run-cli.ts';

const REPO = join(import.meta.dirname, '..', '..', '..');
const deps = { loadChecks: (path: string | null) => loadChecks(join(REPO, 'runbooks'), path) };
const digest = ['--root-sha256', ROOT_SHA256];
let state: ReportState;
let bundle = '';

const exportTo = (out: string, ...argv: string[]) =>
  cli(['evidence', 'export', '--state', state.dir, '--out', out, ...argv], { deps });
const verify = (dir: string, ...argv: string[]) => cli(['evidence', 'verify', dir, ...digest, '--json', ...argv]);
const filesOf = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile())
    .map((item) => join(item.parentPath, item.name).slice(dir.length + 1))
    .toSorted();
const seqOf = (line: string): number =>
  (
    JSON.parse(Buffer.from((JSON.parse(line) as { payload: string }).payload, 'base64').toString()) as {
      predicate: { seq: number };
    }
  ).predicate.seq;
const read = (path: string): string => readFileSync(join(bundle, path), 'utf8');

beforeAll(async () => {
  state = makeReportState();
  bundle = join(state.dir, 'bundle');
  expect((await exportTo(bundle)).code).toBe(0);
});
afterAll(() => {
  rmSync(state.dir, { recursive: true, force: true });
});

describe('evidence export', () => {
  it('writes a bundle that evidence verify accepts under the digest from outside', async () => {
    const { code, json } = await verify(bundle);
    expect(code).toBe(0);
    expect(json()).toMatchObject({
      verdict: 'verified',
      size: state.size,
      receipts: 1,
      checkpoints: 1,
      witnessed: { size: state.witnessed },
    });
  });

  it('writes a bundle that nobody vouches for without that digest', async () => {
    const { code, out } = await cli(['evidence', 'verify', bundle]);
    expect([code, out.split('\n')[0]]).toEqual([8, 'UNTRUSTED ROOT']);
  });

  it('writes the same bytes when it is asked again', async () => {
    const again = join(state.dir, 'again');
    expect((await exportTo(again)).code).toBe(0);
    expect(filesOf(again)).toEqual(filesOf(bundle));
    for (const path of filesOf(bundle))
      expect(readFileSync(join(again, path)).equals(readFileSync(join(bundle, path))), path).toBe(true);
  });

  it('holds the lines of the log byte for byte, and a verifier that is the one in docs', async () => {
    const { out } = await cli(['evidence', 'list', '--lines', '--state', state.dir]);
    expect(read(`logs/main-street-1/1/0-${state.size - 1}.jsonl`) === out).toBe(true);
    expect(read('verify.py') === readFileSync(join(REPO, 'docs', 'verify', 'verify.py'), 'utf8')).toBe(true);
  });

  it('finds the verifier in a build, where the source tree has it', () => {
    const out = join(state.dir, 'build');
    stripTree(out);
    expect(existsSync(join(out, 'agent', 'cli', 'evidence-export.js'))).toBe(true);
    expect(readFileSync(join(out, 'docs', 'verify', 'verify.py'), 'utf8') === read('verify.py')).toBe(true);
  });

  it('has a table with one row per entry', () => {
    const rows = read('views/entries.csv').split('\r\n');
    expect(rows.length).toBe(state.size + 2);
    expect(rows[0]?.split(',').slice(0, 3)).toEqual(['appliance', 'epoch', 'seq']);
    expect(rows.at(-2)?.split(',')[2]).toBe(String(state.size - 1));
  });

  const oneDay = ['--from', '2026-06-02', '--to', '2026-06-02'];

  it('writes for a period the lines of that time, those that its report rests on, and hashes that prove them', async () => {
    const out = join(state.dir, 'one-day');
    expect((await exportTo(out, ...oneDay)).code).toBe(0);
    const verdict = (await verify(out)).json<{ size: number; left_out: number }>();
    // The checkpoint and the receipt lie within the day, so the tree reaches them, and entries after it are there too.
    expect(verdict).toMatchObject({
      verdict: 'verified',
      receipts: 1,
      checkpoints: 1,
      witnessed: { size: state.witnessed },
    });
    const lines = readFileSync(join(out, `logs/main-street-1/1/0-${verdict.size - 1}.jsonl`), 'utf8').split('\n');
    const whole = read(`logs/main-street-1/1/0-${state.size - 1}.jsonl`).split('\n');
    const kept = lines.filter((line) => whole.includes(line) && line !== '');
    expect(kept.length).toBe(verdict.size - verdict.left_out);
    expect(verdict.left_out).toBeGreaterThan(10);
    const report = readFileSync(join(out, 'report.html'), 'utf8');
    expect(report).toContain('evidence_gap');
    expect(report).not.toContain('disk_full');
    // Every entry that the report names as a proof is there to be looked at.
    const seqs = new Set(kept.map((line) => seqOf(line)));
    const named = [...report.matchAll(/entry <b>([0-9,]+)<\/b>/g)].map(([, n = '']) => Number(n.replaceAll(',', '')));
    expect(named.length).toBeGreaterThan(5);
    for (const seq of named) expect([seq, seqs.has(seq)]).toEqual([seq, true]);
  });

  it('writes the same bytes for the same period, and a period without entries as a bundle that verifies', async () => {
    const [one, two] = ['period-1', 'period-2'].map((name) => join(state.dir, name)) as [string, string];
    await exportTo(one, ...oneDay);
    await exportTo(two, ...oneDay);
    for (const path of filesOf(one)) {
      expect(readFileSync(join(two, path)).equals(readFileSync(join(one, path))), path).toBe(true);
    }
    const none = join(state.dir, 'none');
    expect((await exportTo(none, '--from', '2030-01-01')).code).toBe(0);
    expect((await verify(none)).json()).toMatchObject({ verdict: 'verified' });
  });

  it('exports no other site than its own', async () => {
    expect((await exportTo(join(state.dir, 'mine'), '--site', 'main-street')).code).toBe(0);
    const { code, err } = await exportTo(join(state.dir, 'theirs'), '--site', 'side-street');
    expect([code, err.split(':')[0]]).toEqual([2, 'usage']);
    expect(existsSync(join(state.dir, 'theirs'))).toBe(false);
  });

  it('overwrites nothing and leaves nothing behind', async () => {
    const { code, err } = await exportTo(bundle);
    expect([code, err.split(':')[0]]).toEqual([2, 'export_refused']);
    const nowhere = join(state.dir, 'no', 'such', 'folder');
    expect((await exportTo(nowhere)).err.split(':')[0]).toBe('file_missing');
    expect(readdirSync(state.dir).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it.each([
    ['no folder', []],
    ['a day that does not exist', ['--out', 'x', '--from', '2026-02-31']],
    ['a period that ends before it begins', ['--out', 'x', '--from', '2026-06-02', '--to', '2026-06-01']],
  ])('refuses %s as wrong use', async (_, argv) => {
    const { code, err } = await cli(['evidence', 'export', '--state', state.dir, ...argv], { deps });
    expect([code, err.split(':')[0]]).toEqual([2, 'usage']);
    expect(existsSync('x')).toBe(false);
  });

  it('exports a log without receipts, which then says that its end could be missing', async () => {
    const small: CliState = makeCliState();
    try {
      const out = join(small.dir, 'bundle');
      const { code } = await cli(['evidence', 'export', '--state', small.dir, '--out', out], { deps });
      expect(code).toBe(0);
      expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('unanchored');
    } finally {
      rmSync(small.dir, { recursive: true, force: true });
    }
  });
});

describe('a bundle that somebody changed', () => {
  let copy = '';
  const codeAfter = async (change: () => void): Promise<string> => {
    copy = join(state.dir, 'copy');
    rmSync(copy, { recursive: true, force: true });
    cpSync(bundle, copy, { recursive: true });
    change();
    const { code, json } = await verify(copy);
    expect([2, 10]).toContain(code);
    return json<{ error?: { code: string } }>().error?.code ?? 'no error';
  };

  it('is refused for every single file that was changed', async () => {
    for (const path of filesOf(bundle).filter((name) => name !== MANIFEST_FILE)) {
      const change = (): void => writeFileSync(join(copy, path), `${read(path)} `);
      expect(await codeAfter(change), path).toBe('bundle_mismatch');
    }
  });

  it.each<[string, string, () => void]>([
    ['a file is missing', 'bundle_mismatch', () => rmSync(join(copy, 'report.html'))],
    [
      'a file was added',
      'bundle_mismatch',
      () => writeFileSync(join(copy, 'logs', 'main-street-1', '1', 'notes.txt'), 'x'),
    ],
    [
      'a second log was added',
      'bundle_mismatch',
      () =>
        cpSync(join(copy, 'logs', 'main-street-1', '1'), join(copy, 'logs', 'main-street-1', '2'), { recursive: true }),
    ],
    [
      'MANIFEST names a file twice',
      'bundle_mismatch',
      () => writeFileSync(join(copy, MANIFEST_FILE), `${read(MANIFEST_FILE)}${read(MANIFEST_FILE)}`),
    ],
    [
      'MANIFEST leads out of the bundle',
      'bundle_invalid',
      () => writeFileSync(join(copy, MANIFEST_FILE), `${'0'.repeat(64)}  ../x\n`),
    ],
    ['MANIFEST is a web page', 'bundle_invalid', () => writeFileSync(join(copy, MANIFEST_FILE), '<html>')],
    ['MANIFEST is empty', 'bundle_mismatch', () => writeFileSync(join(copy, MANIFEST_FILE), '')],
    [
      'a folder stands where a file belongs',
      'bundle_mismatch',
      () => {
        rmSync(join(copy, 'README.txt'));
        mkdirSync(join(copy, 'README.txt'));
      },
    ],
  ])('is refused where %s', async (_, expected, change) => {
    expect(await codeAfter(change)).toBe(expected);
  });

  it('takes no roots or receipts from elsewhere', async () => {
    const { code, json } = await verify(
      bundle,
      '--receipts',
      join(bundle, 'logs', 'main-street-1', '1', 'receipts.jsonl'),
    );
    expect([code, json<{ error: { code: string } }>().error.code]).toEqual([2, 'usage']);
  });
});
