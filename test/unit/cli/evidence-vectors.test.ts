import { afterAll, describe, expect, it } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { broughtAlong, bundleFiles, evidenceVectors, writeBundle } from '../../support/evidence-vectors.ts';
import { cli } from '../../support/run-cli.ts';

const vectors = evidenceVectors();
const negatives = vectors.filter((vector) => vector.expect !== 'ok');
const folder = mkdtempSync(join(tmpdir(), 'evidence-vectors-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the vectors of whole evidence', () => {
  it('are at least a hundred, of which at least thirty must be refused', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(100);
    expect(negatives.length).toBeGreaterThanOrEqual(30);
  });

  it('differ, where they must be refused, from a named positive in one part', () => {
    for (const { name, like, differs } of negatives)
      expect([name, typeof like, differs.length]).toEqual([name, 'string', 1]);
  });
});

describe('evidence verify, given a vector as a bundle', () => {
  it.each(vectors.map((vector, i) => [`${vector.file}: ${vector.name}`, i, vector] as const))(
    'comes to its code and position: %s',
    async (_, i, vector) => {
      const dir = join(folder, String(i));
      writeBundle(dir, bundleFiles(vector));
      const { code, json } = await cli([
        'evidence',
        'verify',
        dir,
        '--root-sha256',
        vector.rootSha256,
        '--json',
        ...broughtAlong(dir, vector),
      ]);
      const out = json<{
        verdict?: string;
        code: string | null;
        seq: number | null;
        size: number;
        root: string;
        ranges?: { to_seq: number; by: string[] }[];
        error?: { code: string };
      }>();
      const found = out.error?.code ?? out.code ?? 'ok';
      expect([found, out.seq ?? null]).toEqual([vector.expect, vector.seq]);
      if (vector.expect === 'ok')
        expect(out).toMatchObject({ verdict: 'verified', size: vector.size, root: vector.root });
      else expect([2, 4, 9]).toContain(code);
      // What lies below the size from which on a log is revoked holds.
      if (vector.expect === 'origin_revoked') expect(out.size).toBe(vector.seq);
      if (vector.vouched === undefined) return;
      const reach = (by: string): number =>
        Math.max(0, ...(out.ranges ?? []).filter((range) => range.by.includes(by)).map((range) => range.to_seq));
      expect({ witnessed: reach('witness'), anchored: reach('anchor') }).toEqual(vector.vouched);
    },
  );
});
