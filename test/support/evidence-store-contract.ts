// What every store of evidence keeps: one suite that runs on the folder and on a bucket with Object Lock.
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { streamLog } from '../../central/evidence-store/evidence-store.ts';
import type { SegmentStore } from '../../central/evidence-store/segment-store.ts';
import { evidenceLab, inSevenYears, linesOf, ORIGIN, promiseAt, rootAt, type EvidenceLab } from './evidence-lab.ts';
import { expectCodeAsync } from './expect-code.ts';

/** A place for evidence that starts empty. */
export interface StorePlace {
  /** Opens it as a server does: again for a restart, beside one that is open for a second server. */
  open(): Promise<SegmentStore>;
  remove(): void;
}

/**
 * Call within a `describe`.
 *
 * @param place makes an empty place
 * @param runs of the property
 */
export function evidenceStoreContract(place: (name: string) => Promise<StorePlace>, runs: number): void {
  let lab: EvidenceLab;
  let at: StorePlace;
  let segments: SegmentStore;
  const opened: SegmentStore[] = [];
  const open = async (): Promise<SegmentStore> => {
    const made = await at.open();
    opened.push(made);
    return made;
  };
  beforeEach(async () => {
    lab = evidenceLab();
    at = await place(randomUUID());
    segments = await open();
  });
  afterEach(() => {
    for (const each of opened.splice(0)) each.close();
    lab.remove();
    at.remove();
  });

  const until = inSevenYears;
  const allLines = async (): Promise<string[]> => {
    const lines: string[] = [];
    for await (const line of streamLog(segments, ORIGIN)) lines.push(line.toString());
    return lines;
  };

  it('gives back every range of what was appended in whatever portions, also after it is opened again', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 8 }),
        fc.nat(50),
        fc.nat(50),
        async (portions, a, b) => {
          at.remove();
          at = await place(randomUUID());
          segments = await open();
          lab.forget();
          const store = await lab.open(segments);
          let size = 0;
          for (const portion of portions) await store.append(ORIGIN, linesOf(size, (size += portion)), until());
          const [from, to] = [Math.min(a, b, size), Math.min(Math.max(a, b), size)];
          const again = await open();
          for (const each of [store, await lab.open(again, [promiseAt(size)])]) {
            expect(each.state(ORIGIN)).toMatchObject({ size, root: rootAt(size) });
            expect(await each.read(ORIGIN, from, to)).toEqual(linesOf(from, to));
          }
          expect(await allLines()).toEqual(linesOf(0, size).map(String));
          expect(lab.findings).toEqual([]);
        },
      ),
      { numRuns: runs },
    );
  });

  it('finds everything again without its index, as after an older backup of the database', async () => {
    const store = await lab.open(segments);
    for (let size = 0; size < 9; size += 3) await store.append(ORIGIN, linesOf(size, size + 3), until());
    lab.forget();
    const again = await lab.open(await open(), [promiseAt(3)]);
    expect(again.state(ORIGIN)).toMatchObject({ size: 9, root: rootAt(9) });
    expect(again.damage(ORIGIN)).toBeNull();
    expect(await again.read(ORIGIN, 2, 7)).toEqual(linesOf(2, 7));
    expect(await lab.audit(again)).toMatchObject({ complete: true, findings: [] });
  });

  it('takes over what was stored although nobody was told, and doubles nothing', async () => {
    // Another server on the same place stands for ourselves before a lost answer or a kill: stored, and no row of it here.
    const blind = await lab.open(segments);
    const other = evidenceLab();
    try {
      await (await other.open(await open())).append(ORIGIN, linesOf(0, 3), until());
      const tried = await blind.append(ORIGIN, linesOf(0, 3), until()).catch((error: unknown) => error);
      if (tried instanceof Error) expect(tried).toMatchObject({ code: 'evidence_unwritable' });
      await blind.settle(ORIGIN);
      expect(blind.state(ORIGIN)).toMatchObject({ size: 3, root: rootAt(3) });
      await blind.append(ORIGIN, linesOf(3, 5), until());
      expect(await allLines()).toEqual(linesOf(0, 5).map(String));
      expect(await lab.audit(blind)).toMatchObject({ complete: true, findings: [] });
    } finally {
      other.remove();
    }
  });

  it('takes lost entries back only if they make the roots that were receipted', async () => {
    const store = await lab.open(segments, [promiseAt(3), promiseAt(5)]);
    expect(lab.findings).toEqual(['evidence_tail_missing']);
    const wrong = [...linesOf(0, 2), Buffer.from('other'), ...linesOf(3, 6)];
    await expectCodeAsync(store.append(ORIGIN, wrong, until()), 'evidence_conflict');
    expect(store.state(ORIGIN).size).toBe(0);
    expect(await allLines()).toEqual([]);
    await store.append(ORIGIN, linesOf(0, 6), until());
    expect(store.state(ORIGIN)).toMatchObject({ size: 6, root: rootAt(6) });
  });

  it('vouches for nothing that contradicts a receipt', async () => {
    const store = await lab.open(segments);
    await store.append(ORIGIN, linesOf(0, 2), until());
    await store.append(ORIGIN, [Buffer.from('forged'), ...linesOf(3, 4)], until());
    const again = await lab.open(await open(), [promiseAt(2), promiseAt(4)]);
    expect(again.damage(ORIGIN)).not.toBeNull();
    expect(lab.findings).toEqual(['evidence_damaged']);
    expect(again.state(ORIGIN)).toMatchObject({ size: 2, root: rootAt(2) });
    await expectCodeAsync(again.append(ORIGIN, linesOf(4, 5), until()), 'evidence_damaged');
  });

  it('keeps contradicting lines once, out of the numbering of the log', async () => {
    const store = await lab.open(segments);
    await store.append(ORIGIN, linesOf(0, 2), until());
    for (let i = 0; i < 2; i++) await store.keepConflict(ORIGIN, 1, Buffer.from('another line 1'), until());
    expect(await segments.conflicts(ORIGIN)).toBe(1);
    expect(await allLines()).toEqual(linesOf(0, 2).map(String));
    const again = await lab.open(await open(), [promiseAt(2)]);
    expect(again.state(ORIGIN).size).toBe(2);
    expect(await lab.audit(again)).toMatchObject({ complete: true, findings: [] });
  });

  it('is audited in small steps that go on where the last one stopped, also after a restart', async () => {
    const store = await lab.open(segments);
    for (let size = 0; size < 5; size++) await store.append(ORIGIN, linesOf(size, size + 1), until());
    const step = { objects: 2, bytes: Number.MAX_SAFE_INTEGER };
    expect((await lab.audit(store, step)).complete).toBe(false);
    const again = await lab.open(await open(), [promiseAt(5)]);
    expect((await lab.audit(again, step)).complete).toBe(false);
    expect(lab.db.audit.state()).toMatchObject({ objects: 4, completed_at: null, pass: 1 });
    expect(await lab.audit(again, step)).toMatchObject({ complete: true, findings: [] });
    expect(lab.db.audit.state()).toMatchObject({ completed_objects: 5, pass: 1, last_error: null });
    expect(lab.db.audit.state()?.completed_bytes).toBe(linesOf(0, 5).join('\n').length + 1);
  });

  it('reads no more in one step of the audit than it is allowed to', async () => {
    const store = await lab.open(segments);
    for (let size = 0; size < 4; size++) await store.append(ORIGIN, linesOf(size, size + 1), until());
    expect((await lab.audit(store, { objects: 1, bytes: 1 })).complete).toBe(false);
    expect(lab.db.audit.state()).toMatchObject({ objects: 1 });
  });
}
