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
    expect([code, out.split('\n')[0]]).toEqual([4, 'UNTRUSTED ROOT']);
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
    expect(read(`logs/1/0-${state.size - 1}.jsonl`) === out).toBe(true);
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
    expect(rows[0]?.split(',')[0]).toBe('seq');
    expect(rows.at(-2)?.split(',')[0]).toBe(String(state.size - 1));
  });

  it('limits the report to the period and never the lines', async () => {
    const out = join(state.dir, 'one-day');
    expect((await exportTo(out, '--from', '2026-06-01', '--to', '2026-06-01')).code).toBe(0);
    expect((await verify(out)).json()).toMatchObject({ verdict: 'verified', size: state.size });
    const report = readFileSync(join(out, 'report.html'), 'utf8');
    expect(report).toContain('2026-06-01');
    expect(report).not.toContain('evidence_gap');
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
    expect([2, 4]).toContain(code);
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
    ['a file was added', 'bundle_mismatch', () => writeFileSync(join(copy, 'logs', '1', 'notes.txt'), 'x')],
    [
      'a second log was added',
      'bundle_mismatch',
      () => cpSync(join(copy, 'logs', '1'), join(copy, 'logs', '2'), { recursive: true }),
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
    const { code, json } = await verify(bundle, '--receipts', join(bundle, 'logs', '1', 'receipts.jsonl'));
    expect([code, json<{ error: { code: string } }>().error.code]).toEqual([2, 'usage']);
  });
});
