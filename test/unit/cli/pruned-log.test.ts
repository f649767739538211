import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadChecks } from '../../../agent/daemon/load-checks.ts';
import { bindingLine, linesOf, openLog, trust } from '../../support/evidence-fixtures.ts';
import { appendFindings, DAY_S, prune, saveCheckpoint, saveReceipt } from '../../support/prunable-log.ts';
import { cli } from '../../support/run-cli.ts';
import { identity } from '../../support/store-fixtures.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const REPO = join(import.meta.dirname, '..', '..', '..');
const SIZE = 900;
const dir = mkdtempSync(join(tmpdir(), 'pruned-'));
const root = trust.root.digest;
let lines: string[] = [];

beforeAll(async () => {
  const open = openLog(dir);
  const { store, log } = open;
  store.trust.addRoot({ version: 1, digest: trust.root.digest, line: trust.root.line });
  store.trust.saveIdentity({ ...identity, origin: log.origin, bindingLine: bindingLine() });
  appendFindings(open, SIZE - 1);
  lines = linesOf(store);
  saveReceipt(store, 700, NOW - 91 * DAY_S);
  saveCheckpoint(store, 700);
  store.uplink.setPointer(log.origin, 700);
  await prune(store);
  store.close();
});
afterAll(() => rmSync(dir, { recursive: true }));

const onState = (...argv: string[]) => cli(['evidence', ...argv, '--state', dir]);

describe('a log whose oldest lines were pruned', () => {
  it('is listed with what is here, and says which entries are here only as hashes', async () => {
    const { out } = await onState('list', '--from', '0', '--limit', '2');
    expect(out).toContain('of entries 0 to 511 only those below are here; the rest as hashes');
    const listed = (await onState('list', '--from', '0', '--limit', '2', '--json')).json<{
      entries: { seq: number }[];
    }>();
    expect(listed).toMatchObject({ size: SIZE, pruned_below: 512, entries: [{ seq: 0 }, { seq: 512 }] });
    expect((await onState('list')).out).not.toContain('hashes');
  });

  it('shows of a pruned entry its hash and the object that the receipt names, and of others all', async () => {
    const { code, err } = await onState('show', '511');
    expect(code).toBe(2);
    expect(err).toContain('entry_pruned');
    expect(err).toContain('object-700 in files');
    expect((await onState('show', '512', '--json')).json()).toMatchObject({ seq: 512, stored: true });
    expect((await onState('show', String(SIZE))).err).toContain('entry_unknown');
  });

  it('verifies under the same root, as lines and as hashes', async () => {
    const { code, json } = await onState('verify', '--root-sha256', root, '--json');
    expect(code).toBe(0);
    expect(json()).toMatchObject({
      verdict: 'verified',
      ok: true,
      size: SIZE,
      left_out: 511,
      receipts: 1,
      checkpoints: 1,
    });
  });

  it('is written with its hashes by list --lines, from anywhere on', async () => {
    const { out } = await onState('list', '--lines');
    const written = out.split('\n').slice(0, -1);
    expect(written).toHaveLength(SIZE);
    expect([written[0], ...written.slice(512)]).toEqual([lines[0], ...lines.slice(512)]);
    const later = (await onState('list', '--lines', '--from', '500', '--limit', '20')).out.split('\n').slice(0, -1);
    expect(later).toEqual(written.slice(500, 520));
    writeFileSync(join(dir, 'root.json'), `${trust.root.line}\n`);
    writeFileSync(join(dir, 'given.jsonl'), out);
    const { code } = await cli(['evidence', 'verify', join(dir, 'given.jsonl'), '--root-sha256', root]);
    expect(code).toBe(0);
    writeFileSync(join(dir, 'given.jsonl'), out.replace(written[511]!, written[510]!));
    const bent = await cli(['evidence', 'verify', join(dir, 'given.jsonl'), '--root-sha256', root, '--json']);
    expect(bent.json()).toMatchObject({ verdict: 'failed', code: 'entry_prev', seq: 512 });
  });

  it('makes a bundle that verifies and that names what is not in it', async () => {
    const deps = { loadChecks: (path: string | null) => loadChecks(join(REPO, 'runbooks'), path) };
    const out = join(dir, 'bundle');
    const made = await cli(['evidence', 'export', '--state', dir, '--out', out, '--json'], { deps });
    expect(made.json()).toMatchObject({ verified: true });
    const own = await cli(['evidence', 'verify', out, '--root-sha256', root, '--json']);
    expect(own.json()).toMatchObject({ verdict: 'verified', size: SIZE, left_out: 511 });
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toMatch(/only as hashes|as hashes only|left out/i);
  });
});
