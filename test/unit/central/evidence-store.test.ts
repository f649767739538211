import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EvidenceStore, SizeAndRoot } from '../../../central/evidence-store/evidence-store.ts';
import { openSegmentFolder } from '../../../central/evidence-store/segment-folder.ts';
import { splitLines } from '../../../central/evidence-store/segment-store.ts';
import { parseStoreAddress, storeAddressText } from '../../../central/evidence-store/store-address.ts';
import { chooseStore } from '../../../central/service/choose-store.ts';
import {
  evidenceLab,
  FOLDER,
  inSevenYears,
  linesOf,
  ORIGIN,
  promiseAt,
  rootAt,
  type EvidenceLab,
} from '../../support/evidence-lab.ts';
import { expectCode, expectCodeAsync } from '../../support/expect-code.ts';

let dir: string;
let lab: EvidenceLab;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'evidence-store-'));
  lab = evidenceLab();
});
afterEach(() => {
  lab.remove();
  rmSync(dir, { recursive: true, force: true });
});

const open = async (promises: SizeAndRoot[] = []): Promise<EvidenceStore> =>
  await lab.open(await openSegmentFolder(dir), promises);
const until = inSevenYears;
const folder = (): string => join(dir, FOLDER);
const file = (name: string): string => join(folder(), name);

describe('the evidence store of Central Command', () => {
  it('removes what an interrupted write left behind and never counts it', async () => {
    const store = await open();
    await store.append(ORIGIN, linesOf(0, 2), until());
    writeFileSync(file('.new-000000000002-000000000003.jsonl'), 'line 2\nli');
    writeFileSync(join(dir, '.incoming', 'half'), 'line 2\nli');
    const again = await open([promiseAt(2)]);
    expect(again.state(ORIGIN).size).toBe(2);
    expect(readdirSync(folder())).toEqual(['000000000000-000000000001.jsonl']);
    expect(readdirSync(join(dir, '.incoming'))).toEqual([]);
  });

  it.each([
    ['a changed byte', 'lime 2\nline 3\n', 2],
    ['a missing line', 'line 2\n', 2],
    ['an added line', 'line 2\nline 3\nline 4\n', 2],
    ['a cut last line', 'line 2\nline 3', 2],
    ['an empty file', '', 2],
  ])('calls a log damaged that has %s, and vouches only for what a receipt still fits', async (_what, text, sound) => {
    const store = await open();
    await store.append(ORIGIN, linesOf(0, 2), until());
    await store.append(ORIGIN, linesOf(2, 4), until());
    writeFileSync(join(folder(), '000000000002-000000000003.jsonl'), text);
    const again = await open([promiseAt(2), promiseAt(4)]);
    expect(again.damage(ORIGIN)).not.toBeNull();
    expect(lab.findings).toEqual(['evidence_damaged']);
    expect(again.state(ORIGIN)).toMatchObject({ size: sound, root: rootAt(sound) });
    await expectCodeAsync(again.append(ORIGIN, linesOf(4, 5), until()), 'evidence_damaged');
  });

  it('calls a log damaged whose first file is gone', async () => {
    const store = await open();
    await store.append(ORIGIN, linesOf(0, 2), until());
    await store.append(ORIGIN, linesOf(2, 4), until());
    rmSync(join(folder(), '000000000000-000000000001.jsonl'));
    expect((await open([promiseAt(4)])).damage(ORIGIN)).not.toBeNull();
  });

  it('never replaces a file that is there', async () => {
    const store = await open();
    mkdirSync(folder());
    writeFileSync(join(folder(), '000000000000-000000000001.jsonl'), 'older\n');
    await expectCodeAsync(store.append(ORIGIN, linesOf(0, 2), until()), 'evidence_unwritable');
    expect(store.state(ORIGIN).size).toBe(0);
  });

  it('says that evidence cannot be written instead of acknowledging it', async () => {
    const store = await open();
    writeFileSync(folder(), 'a file where the folder belongs');
    await expectCodeAsync(store.append(ORIGIN, linesOf(0, 1), until()), 'evidence_unwritable');
    expect(store.state(ORIGIN).size).toBe(0);
  });

  it('splits lines exactly at their line feeds', () => {
    expect(splitLines(Buffer.from('a\n\nb\n'))?.map(String)).toEqual(['a', '', 'b']);
    expect(splitLines(Buffer.from('a\r\n'))?.map(String)).toEqual(['a\r']);
    expect(splitLines(Buffer.alloc(0))).toEqual([]);
    expect(splitLines(Buffer.from('a'))).toBeNull();
  });
});

describe('a folder of evidence that is to be immutable', () => {
  it('goes on where the attribute cannot be had, and says why', async () => {
    const { PATH } = process.env;
    process.env['PATH'] = dir;
    try {
      const segments = await openSegmentFolder(join(dir, 'evidence'), { immutable: true });
      expect(segments.protection).toContain('not immutable: there is no chattr');
      await (await lab.open(segments)).append(ORIGIN, linesOf(0, 2), until());
      expect(readdirSync(join(dir, 'evidence', FOLDER))).toEqual(['000000000000-000000000001.jsonl']);
    } finally {
      process.env['PATH'] = PATH;
    }
  });

  it('says of a folder that was not to be immutable that it was not asked for', async () => {
    expect((await openSegmentFolder(join(dir, 'evidence'))).protection).toContain('was not asked for');
  });
});

describe('the audit of a folder of evidence', () => {
  let store: EvidenceStore;
  const first = '000000000000-000000000001.jsonl';
  const second = '000000000002-000000000003.jsonl';
  beforeEach(async () => {
    store = await open();
    await store.append(ORIGIN, linesOf(0, 2), until());
    await store.append(ORIGIN, linesOf(2, 4), until());
  });
  const rewrite = (name: string, text: string): void => {
    chmodSync(file(name), 0o644);
    writeFileSync(file(name), text);
    chmodSync(file(name), 0o444);
  };

  it('finds a changed file, and nothing from there on is vouched for any more', async () => {
    rewrite(second, 'line 2\nlime 3\n');
    expect(await lab.audit(store)).toMatchObject({
      complete: true,
      findings: [{ kind: 'changed' }],
      open: ['changed'],
    });
    expect(store.damage(ORIGIN)).not.toBeNull();
    expect(store.state(ORIGIN)).toMatchObject({ size: 2, root: rootAt(2) });
    await expectCodeAsync(store.append(ORIGIN, linesOf(4, 5), until()), 'evidence_damaged');
  });

  it('finds a missing file', async () => {
    rmSync(file(first));
    expect(await lab.audit(store)).toMatchObject({ findings: [{ kind: 'missing', objectId: `${FOLDER}/${first}` }] });
    expect(store.state(ORIGIN).size).toBe(0);
  });

  it('reports a tail that was lost before the start, and does not keep it from coming back', async () => {
    rmSync(file(second));
    const again = await open([promiseAt(2), promiseAt(4)]);
    expect(lab.findings).toEqual(['evidence_tail_missing']);
    expect((await lab.audit(again)).open).toEqual(['missing']);
    expect(again.damage(ORIGIN)).toBeNull();
    await again.append(ORIGIN, linesOf(2, 5), until());
    lab.advance(1);
    expect(await lab.audit(again)).toMatchObject({ findings: [], open: [] });
  });

  it('finds a whole log that is missing', async () => {
    rmSync(folder(), { recursive: true });
    expect((await lab.audit(store)).open).toEqual(['missing', 'missing']);
  });

  it.each([
    ['a file that continues the log', '000000000004-000000000004.jsonl'],
    ['a file over entries that are stored', '000000000001-000000000001.jsonl'],
    ['a file beside a stored one', '000000000000-000000000004.jsonl'],
    ['a file of another name', 'notes.txt'],
  ])('finds %s that no upload made', async (_what, name) => {
    writeFileSync(file(name), 'line 4\n', { mode: 0o444 });
    expect(await lab.audit(store)).toMatchObject({ complete: true, findings: [{ kind: 'added' }] });
    expect(store.damage(ORIGIN)).toBeNull();
  });

  it('finds a log that nobody uploaded', async () => {
    mkdirSync(join(dir, 'acme.internal_other_1'));
    writeFileSync(join(dir, 'acme.internal_other_1', first), 'line 0\nline 1\n');
    expect((await lab.audit(store)).findings).toMatchObject([{ kind: 'added', origin: 'acme.internal/other/1' }]);
  });

  it('finds a file that can be written to', async () => {
    chmodSync(file(first), 0o644);
    expect(await lab.audit(store)).toMatchObject({ findings: [{ kind: 'weak' }] });
    expect(store.damage(ORIGIN)).toBeNull();
  });

  it('closes a finding when a later pass finds all in order, and opens it again', async () => {
    writeFileSync(file('notes.txt'), 'x');
    chmodSync(file(first), 0o644);
    expect((await lab.audit(store)).open.sort()).toEqual(['added', 'weak']);
    rmSync(file('notes.txt'));
    chmodSync(file(first), 0o444);
    lab.advance(1);
    expect((await lab.audit(store)).open).toEqual([]);
    lab.advance(1);
    chmodSync(file(first), 0o644);
    expect((await lab.audit(store)).open).toEqual(['weak']);
  });

  it('says that it could not go on, and goes on there with the next run', async () => {
    mkdirSync(join(dir, 'zz_1_1'));
    writeFileSync(join(dir, 'zz_2_1'), 'a file where a folder belongs');
    await expect(lab.audit(store)).rejects.toThrow();
    expect(lab.db.audit.state()?.last_error).not.toBeNull();
    rmSync(join(dir, 'zz_2_1'));
    expect(await lab.audit(store)).toMatchObject({ complete: true, findings: [] });
    expect(lab.db.audit.state()).toMatchObject({ pass: 1, completed_objects: 2, last_error: null });
  });
});

describe('the place of evidence', () => {
  it.each([
    ['folder', 'folder'],
    ['folder:immutable', 'folder:immutable'],
    ['s3://evidence/acme?region=eu-central-1', 's3://evidence/acme?region=eu-central-1&path-style=no'],
    ['s3://evidence', 's3://evidence/?region=us-east-1&path-style=no'],
    [
      's3://evidence/a/b/?endpoint=https://minio.internal:9000',
      's3://evidence/a/b?region=us-east-1&endpoint=https://minio.internal:9000&path-style=yes',
    ],
    [
      's3://evidence/x?endpoint=http://127.0.0.1:9000&path-style=no',
      's3://evidence/x?region=us-east-1&endpoint=http://127.0.0.1:9000&path-style=no',
    ],
  ])('is read from %s, and reads the same again', (text, canonical) => {
    const address = parseStoreAddress(text);
    expect(storeAddressText(address)).toBe(canonical);
    expect(parseStoreAddress(canonical)).toEqual(address);
  });

  it.each([
    ['a key in it', 's3://AKIA:secret@evidence/x'],
    ['a secret among its parameters', 's3://evidence/x?secret=abc'],
    ['a parameter twice', 's3://evidence/x?region=a&region=b'],
    ['plain HTTP to another machine', 's3://evidence/x?endpoint=http://10.0.0.1:9000'],
    ['a password in the endpoint', 's3://evidence/x?endpoint=https://a:b@minio.internal'],
    ['a path in the endpoint', 's3://evidence/x?endpoint=https://minio.internal/s3'],
    ['a bucket that no store takes', 's3://EV_IDENCE/x'],
    ['a prefix that fills the receipt', `s3://evidence/${'x'.repeat(60)}`],
    ['a prefix with an empty part', 's3://evidence/a//b'],
    ['another scheme', 'https://evidence/x'],
    ['nothing', ''],
  ])('is refused with %s', (_what, text) => {
    expectCode(() => parseStoreAddress(text), 'usage');
  });

  it('does not change while evidence lies in another one', async () => {
    const { db } = lab;
    expect(chooseStore(db, undefined)).toEqual({ kind: 'folder', immutable: false });
    expect(chooseStore(db, 's3://evidence/x').kind).toBe('s3');
    expect(chooseStore(db, undefined).kind).toBe('s3');
    chooseStore(db, 'folder');
    await (await open()).append(ORIGIN, linesOf(0, 1), until());
    expectCode(() => chooseStore(db, 's3://evidence/x'), 'evidence_store_changed');
    expect(chooseStore(db, 'folder:immutable')).toEqual({ kind: 'folder', immutable: true });
  });
});
