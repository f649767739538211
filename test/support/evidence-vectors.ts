// The vectors of whole evidence (test/vectors/evidence/), with what a negative shares with its positive put in. For tests only.
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encodeManifest } from '../../agent/report/manifest.ts';
import type { EvidenceCase, EvidenceFile, Vouched } from '../../tools/vectors/evidence/whole.ts';
import { vectorJson } from './vectors.ts';

export const EVIDENCE_FILES = [
  'bindings',
  'chain',
  'checkpoints',
  'left-out',
  'epochs',
  'receipts',
  'revoked',
  'roots',
  'spelling',
  'witness-keys',
] as const;
const PARTS = ['roots', 'lines', 'receipts', 'checkpoints', 'revocations', 'anchors'] as const;

export interface EvidenceVector {
  readonly file: string;
  readonly name: string;
  readonly like: string | undefined;
  /** Which parts are not those of `like`; empty for a positive. */
  readonly differs: readonly string[];
  readonly rootSha256: string;
  readonly roots: readonly string[];
  readonly lines: readonly string[];
  readonly receipts: readonly string[];
  readonly checkpoints: readonly string[];
  readonly revocations: readonly string[];
  readonly anchors: readonly string[];
  readonly expect: string;
  readonly seq: number | null;
  readonly size: number | undefined;
  readonly root: string | undefined;
  readonly vouched: Vouched | undefined;
}

export function evidenceVectors(): EvidenceVector[] {
  return EVIDENCE_FILES.flatMap((file) => {
    const { root_sha256: rootSha256, cases } = vectorJson<EvidenceFile>(`evidence/${file}.json`);
    const positives = new Map(cases.filter((c) => c.like === undefined).map((c) => [c.name, c]));
    return cases.map((c): EvidenceVector => {
      const base = c.like === undefined ? c : positives.get(c.like);
      if (base === undefined) throw new Error(`${file}: ${c.name} names no positive`);
      const whole = base.lines as readonly string[];
      const lines = (c.lines ?? whole).map((line) => (typeof line === 'number' ? (whole[line] ?? '') : line));
      const { name, like, expect, seq, size, root, vouched } = c;
      const parts = c === base ? [] : PARTS.filter((part) => differs(c, base, part));
      const rest = {
        roots: c.roots ?? base.roots ?? [],
        receipts: c.receipts ?? base.receipts ?? [],
        checkpoints: c.checkpoints ?? base.checkpoints ?? [],
        revocations: c.revocations ?? base.revocations ?? [],
        anchors: c.anchors ?? base.anchors ?? [],
      };
      return { file, name, like, differs: parts, rootSha256, lines, expect, seq, size, root, vouched, ...rest };
    });
  });
}

function differs(c: EvidenceCase, base: EvidenceCase, part: (typeof PARTS)[number]): boolean {
  return c[part] !== undefined && JSON.stringify(c[part]) !== JSON.stringify(base[part]);
}

export type BundleParts = Pick<EvidenceVector, 'roots' | 'lines' | 'receipts' | 'checkpoints'> &
  Partial<Pick<EvidenceVector, 'revocations'>>;

const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/** The files of a bundle with one log, MANIFEST included. */
export function bundleFiles({
  roots,
  lines,
  receipts,
  checkpoints,
  revocations = [],
}: BundleParts): Map<string, string> {
  const files = new Map([
    ['root.json', text(roots)],
    ...(revocations.length === 0 ? [] : [['revocations.json', text(revocations)] as const]),
    [`logs/box/1/0-${Math.max(lines.length - 1, 0)}.jsonl`, text(lines)],
    ['logs/box/1/receipts.jsonl', text(receipts)],
    ['logs/box/1/checkpoints.txt', checkpoints.join('\n')],
  ]);
  const listed = [...files].map(([path, content]) => ({
    path,
    sha256: createHash('sha256').update(content).digest('hex'),
  }));
  return files.set('MANIFEST', encodeManifest(listed));
}

/** What to give beside the bundle in `dir`: the anchors, written next to it. */
export function broughtAlong(dir: string, { anchors }: Pick<EvidenceVector, 'anchors'>): string[] {
  if (anchors.length === 0) return [];
  const file = `${dir}.anchors`;
  writeFileSync(file, text(anchors));
  return ['--anchor', file];
}

/** Writes them into `dir`, which is made. */
export function writeBundle(dir: string, files: ReadonlyMap<string, string>): void {
  for (const [path, content] of files) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), content);
  }
}
