import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EvidenceStore, SizeAndRoot } from '../../../central/evidence-store/evidence-store.ts';
import { openSegmentFolder } from '../../../central/evidence-store/segment-folder.ts';
import { splitLines } from '../../../central/evidence-store/segment-store.ts';
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
import { expectCodeAsync } from '../../support/expect-code.ts';

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
