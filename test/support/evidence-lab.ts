// A store of evidence on real tables, without the rest of Central Command. For tests and benchmarks only.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { leafHash, rootOfLeaves } from '../../agent/wire/merkle.ts';
import { auditEvidence, type AuditLimits, type Finding } from '../../central/evidence-store/audit-evidence.ts';
import {
  openEvidenceStore,
  type EvidenceStore,
  type SizeAndRoot,
} from '../../central/evidence-store/evidence-store.ts';
import type { SegmentStore } from '../../central/evidence-store/segment-store.ts';
import { openCentralStore, type CentralStore } from '../../central/store/open-central-store.ts';

export const ORIGIN = 'acme.internal/north-1/1';
export const FOLDER = 'acme.internal_north-1_1';
const RETENTION_S = 7 * 31_622_400;
const ALL: AuditLimits = { objects: 1_000_000, bytes: Number.MAX_SAFE_INTEGER };

export const lineOf = (n: number): Buffer => Buffer.from(`line ${n}`);
export const linesOf = (from: number, to: number): Buffer[] =>
  Array.from({ length: to - from }, (_, i) => lineOf(from + i));
export const rootAt = (size: number): string => rootOfLeaves(linesOf(0, size).map((l) => leafHash(l))).toString('hex');
export const promiseAt = (size: number): SizeAndRoot => ({ size, root: rootAt(size) });

export const unixNow = (): number => Math.floor(Date.now() / 1_000);
export const inSevenYears = (): number => unixNow() + RETENTION_S;

export interface EvidenceLab {
  /** Database of an installation, for `open`. */
  readonly db: CentralStore;
  /** What opening found. */
  readonly findings: string[];
  open(segments: SegmentStore, promises?: readonly SizeAndRoot[]): Promise<EvidenceStore>;
  /** One run of the audit. */
  audit(
    evidence: EvidenceStore,
    limits?: AuditLimits,
  ): Promise<{ complete: boolean; findings: Finding[]; open: string[] }>;
  /** Moves the clock of open and audit. */
  advance(seconds: number): void;
  /** Forgets the index, as an older backup of the database does. */
  forget(): void;
  remove(): void;
}

export function evidenceLab(): EvidenceLab {
  const dir = mkdtempSync(join(tmpdir(), 'evidence-lab-'));
  let made = 0;
  let ahead = 0;
  const now = (): number => unixNow() + ahead;
  const fresh = (): CentralStore => openCentralStore(mkdtempSync(join(dir, `db-${++made}-`)), { create: true });
  let db = fresh();
  const findings: string[] = [];
  return {
    get db() {
      return db;
    },
    findings,
    open: (segments, promises = []) =>
      openEvidenceStore({
        segments,
        index: db.objects,
        promisesOf: (origin) => (origin === ORIGIN ? [...promises] : []),
        onFinding: (kind) => findings.push(kind),
        knownOrigins: [ORIGIN],
        now,
        retainFound: inSevenYears,
      }),
    audit: async (evidence, limits = ALL) => {
      const found: Finding[] = [];
      const { objects: index, audit } = db;
      const deps = { evidence, index, audit, now, onFinding: (finding: Finding) => found.push(finding) };
      const complete = await auditEvidence(deps, limits, new AbortController().signal);
      const open = audit.findings(100).filter((row) => row.resolved_at === null);
      return { complete, findings: found, open: open.map(({ kind }) => kind) };
    },
    advance: (seconds) => void (ahead += seconds),
    forget: () => {
      db.close();
      db = fresh();
    },
    remove: () => {
      db.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
