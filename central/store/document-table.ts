import type Database from 'better-sqlite3';

export type StoredKind = 'root' | 'content' | 'policy' | 'revocations';

export interface DocumentRow {
  readonly kind: StoredKind;
  /** Site id for a policy, else empty. */
  readonly scope: string;
  readonly version: number;
  /** SHA-256 of the payload. */
  readonly digest: string;
  /** The signed envelope, exactly as it was signed. */
  readonly line: string;
}

export interface DocumentTable {
  add(row: DocumentRow, at: number): void;
  latest(kind: StoredKind, scope?: string): DocumentRow | null;
  /** Highest version; null before the first. Cheap enough for every request. */
  latestVersion(kind: StoredKind, scope?: string): number | null;
  byVersion(kind: StoredKind, scope: string, version: number): DocumentRow | null;
  byDigest(kind: StoredKind, scope: string, digest: string): DocumentRow | null;
  /** Keeps a file that a content list names; the same bytes again change nothing. */
  addFile(sha256: string, bytes: Buffer, at: number): void;
  file(sha256: string): Buffer | null;
}

export function documentTable(db: Database.Database): DocumentTable {
  const columns = 'kind, scope, version, digest, line';
  const add = db.prepare('INSERT INTO documents VALUES (@kind, @scope, @version, @digest, @line, @at)');
  const latest = db.prepare<[string, string], DocumentRow>(
    `SELECT ${columns} FROM documents WHERE kind = ? AND scope = ? ORDER BY version DESC LIMIT 1`,
  );
  const version = db.prepare<[string, string], { version: number | null }>(
    'SELECT max(version) AS version FROM documents WHERE kind = ? AND scope = ?',
  );
  const byVersion = db.prepare<[string, string, number], DocumentRow>(
    `SELECT ${columns} FROM documents WHERE kind = ? AND scope = ? AND version = ?`,
  );
  const byDigest = db.prepare<[string, string, string], DocumentRow>(
    `SELECT ${columns} FROM documents WHERE kind = ? AND scope = ? AND digest = ?`,
  );
  const addFile = db.prepare('INSERT OR IGNORE INTO content_files VALUES (?, ?, ?)');
  const file = db.prepare<[string], { bytes: Buffer }>('SELECT bytes FROM content_files WHERE sha256 = ?');
  return {
    addFile: (sha256, bytes, at) => void addFile.run(sha256, bytes, at),
    file: (sha256) => file.get(sha256)?.bytes ?? null,
    add: (row, at) => void add.run({ ...row, at }),
    latest: (kind, scope = '') => latest.get(kind, scope) ?? null,
    latestVersion: (kind, scope = '') => version.get(kind, scope)?.version ?? null,
    byVersion: (kind, scope, wanted) => byVersion.get(kind, scope, wanted) ?? null,
    byDigest: (kind, scope, digest) => byDigest.get(kind, scope, digest) ?? null,
  };
}
