import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { leafHash, rootOfLeaves } from '../../../agent/wire/merkle.ts';
import { openEvidenceStore, type SizeAndRoot } from '../../../central/evidence-store/evidence-store.ts';
import { splitLines } from '../../../central/evidence-store/segment-folder.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';

const ORIGIN = 'acme.internal/north-1/1';
let dir: string;
let findings: string[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'evidence-store-'));
  findings = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (promises: SizeAndRoot[] = []) =>
  openEvidenceStore(
    dir,
    () => promises,
    (kind) => findings.push(kind),
    [ORIGIN],
  );
const lineOf = (n: number): Buffer => Buffer.from(`line ${n}`);
const linesOf = (from: number, to: number): Buffer[] => Array.from({ length: to - from }, (_, i) => lineOf(from + i));
const rootAt = (size: number): string => rootOfLeaves(linesOf(0, size).map((l) => leafHash(l))).toString('hex');
const folder = (): string => join(dir, 'acme.internal_north-1_1');

describe('the evidence store of Central Command', () => {
  it('gives back every range of what was appended in whatever portions, also after it is opened again', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 12 }),
        fc.nat(90),
        fc.nat(90),
        async (portions, a, b) => {
          rmSync(dir, { recursive: true, force: true });
          mkdirSync(dir);
          const store = await open();
          let size = 0;
          for (const portion of portions) {
            await store.append(ORIGIN, linesOf(size, (size += portion)));
          }
          const [from, to] = [Math.min(a, b, size), Math.min(Math.max(a, b), size)];
          for (const opened of [store, await open([{ size, root: rootAt(size) }])]) {
            expect(opened.state(ORIGIN)).toMatchObject({ size, root: rootAt(size) });
            expect(await opened.read(ORIGIN, from, to)).toEqual(linesOf(from, to));
          }
          expect(findings).toEqual([]);
        },
      ),
      { numRuns: 15 },
    );
  });

  it('removes what an interrupted write left behind and never counts it', async () => {
    const store = await open();
    await store.append(ORIGIN, linesOf(0, 2));
    writeFileSync(join(folder(), '.new-000000000002-000000000003.jsonl'), 'line 2\nli');
    const again = await open([{ size: 2, root: rootAt(2) }]);
    expect(again.state(ORIGIN).size).toBe(2);
    expect(readdirSync(folder())).toEqual(['000000000000-000000000001.jsonl']);
  });

  it.each([
    ['a changed byte', 'lime 2\nline 3\n', 2],
    ['a missing line', 'line 2\n', 2],
    ['an added line', 'line 2\nline 3\nline 4\n', 4],
    ['a cut last line', 'line 2\nline 3', 2],
    ['an empty file', '', 2],
  ])('calls a log damaged that has %s, and vouches only for what a receipt still fits', async (_what, text, sound) => {
    const store = await open();
    await store.append(ORIGIN, linesOf(0, 2));
    await store.append(ORIGIN, linesOf(2, 4));
    writeFileSync(join(folder(), '000000000002-000000000003.jsonl'), text);
    const again = await open([
      { size: 2, root: rootAt(2) },
      { size: 4, root: rootAt(4) },
    ]);
    expect(again.damage(ORIGIN)).not.toBeNull();
    expect(findings).toEqual(['evidence_damaged']);
    expect(again.state(ORIGIN)).toMatchObject({ size: sound, root: rootAt(sound) });
    await expectCodeAsync(again.append(ORIGIN, linesOf(4, 5)), 'evidence_damaged');
  });

  it('calls a log damaged whose first file is gone', async () => {
    const store = await open();
    await store.append(ORIGIN, linesOf(0, 2));
    await store.append(ORIGIN, linesOf(2, 4));
    rmSync(join(folder(), '000000000000-000000000001.jsonl'));
    expect((await open([{ size: 4, root: rootAt(4) }])).damage(ORIGIN)).not.toBeNull();
  });

  it('takes a lost tail back only if it makes the roots that were receipted', async () => {
    const promises = [3, 5].map((size) => ({ size, root: rootAt(size) }));
    const store = await open(promises);
    expect(findings).toEqual(['evidence_tail_missing']);
    await expectCodeAsync(
      store.append(ORIGIN, [...linesOf(0, 2), Buffer.from('other'), ...linesOf(3, 6)]),
      'evidence_conflict',
    );
    expect(store.state(ORIGIN).size).toBe(0);
    await store.append(ORIGIN, linesOf(0, 6));
    expect(store.state(ORIGIN)).toMatchObject({ size: 6, root: rootAt(6) });
  });

  it('never replaces a file that is there', async () => {
    const store = await open();
    mkdirSync(folder());
    writeFileSync(join(folder(), '000000000000-000000000001.jsonl'), 'older\n');
    await expectCodeAsync(store.append(ORIGIN, linesOf(0, 2)), 'evidence_unwritable');
    expect(store.state(ORIGIN).size).toBe(0);
  });

  it('says that evidence cannot be written instead of acknowledging it', async () => {
    const store = await open();
    writeFileSync(folder(), 'a file where the folder belongs');
    await expectCodeAsync(store.append(ORIGIN, linesOf(0, 1)), 'evidence_unwritable');
    expect(store.state(ORIGIN).size).toBe(0);
  });

  it('splits lines exactly at their line feeds', () => {
    expect(splitLines(Buffer.from('a\n\nb\n'))?.map(String)).toEqual(['a', '', 'b']);
    expect(splitLines(Buffer.from('a\r\n'))?.map(String)).toEqual(['a\r']);
    expect(splitLines(Buffer.alloc(0))).toEqual([]);
    expect(splitLines(Buffer.from('a'))).toBeNull();
  });
});
