// Signed documents in force, who this appliance is, and the last signed time. Lines are kept byte for byte.
import { AgentError } from '../errors/agent-error.ts';
import type { Db } from './connection.ts';

export interface RootRow {
  readonly version: number;
  readonly digest: string;
  readonly line: string;
}

export type DocumentKind = 'content' | 'policy' | 'revocations' | 'binding';

export interface DocumentRow {
  readonly kind: DocumentKind;
  readonly version: number;
  readonly digest: string;
  readonly line: string;
  /** When it came into force here, Unix seconds. */
  readonly at: number;
}

/** What a confirmed enrolment left behind. No secret is among it. */
export interface EnrolledIdentity {
  readonly applianceId: string;
  readonly siteId: string;
  readonly customerId: string;
  readonly partnerId: string;
  readonly deploymentMode: 'direct' | 'reseller';
  readonly resellerId: string | null;
  /** Log origin of the current epoch. */
  readonly origin: string;
  readonly epoch: number;
  readonly bindingLine: string;
  readonly certificatePem: string;
  readonly centralUrl: string;
  readonly caPem: string;
  /** SHA-256 of the DER SPKI of acceptable CAs, hex. */
  readonly caPins: readonly string[];
}

/** Central's time at a moment of this boot. */
export interface SignedTimeRow {
  /** Unix seconds. */
  readonly serverTime: number;
  readonly bootMs: number;
  readonly bootId: string;
}

export interface TrustTable {
  /** The same version with another digest is refused as a defect of the caller. */
  addRoot(root: RootRow): void;
  /** Ascending. */
  roots(): RootRow[];
  putDocument(document: DocumentRow): void;
  /** Highest version, or null. */
  document(kind: DocumentKind): DocumentRow | null;
  identity(): EnrolledIdentity | null;
  saveIdentity(identity: EnrolledIdentity): void;
  signedTime(): SignedTimeRow | null;
  saveSignedTime(time: SignedTimeRow): void;
}

export function trustTable(db: Db): TrustTable {
  const addRoot = db.query(
    'INSERT INTO roots (version, digest, line) VALUES (@version, @digest, @line) ON CONFLICT DO NOTHING',
  );
  const roots = db.query<RootRow>('SELECT version, digest, line FROM roots ORDER BY version');
  const rootDigest = db.query<{ digest: string }>('SELECT digest FROM roots WHERE version = ?');
  const put = db.query(
    `INSERT INTO documents (kind, version, digest, line, at) VALUES (@kind, @version, @digest, @line, @at)
     ON CONFLICT DO NOTHING`,
  );
  const documentDigest = db.query<{ digest: string }>('SELECT digest FROM documents WHERE kind = ? AND version = ?');
  const latest = db.query<DocumentRow>(
    'SELECT kind, version, digest, line, at FROM documents WHERE kind = ? ORDER BY version DESC LIMIT 1',
  );
  const identity = db.query<{ json: string }>('SELECT json FROM identity');
  const saveIdentity = db.query(
    'INSERT INTO identity (id, json) VALUES (1, ?) ON CONFLICT DO UPDATE SET json = excluded.json',
  );
  const time = db.query<SignedTimeRow>(
    'SELECT server_time AS serverTime, boot_ms AS bootMs, boot_id AS bootId FROM signed_time',
  );
  const saveTime = db.query(
    `INSERT INTO signed_time (id, server_time, boot_ms, boot_id) VALUES (1, @serverTime, @bootMs, @bootId)
     ON CONFLICT DO UPDATE SET server_time = excluded.server_time, boot_ms = excluded.boot_ms, boot_id = excluded.boot_id`,
  );

  /** Versions only ever rise, so another document under a known version means that a caller skipped its check. */
  const sameOrDefect = (what: string, version: number, kept: string | undefined, given: string): void => {
    if (kept === given) return;
    throw new AgentError('internal', `another ${what} is already stored under this version`, {
      place: db.path,
      details: { version },
    });
  };

  return {
    addRoot: ({ version, digest, line }) => {
      addRoot.run({ version, digest, line });
      sameOrDefect('root', version, rootDigest.get(version)?.digest, digest);
    },
    roots: () => roots.all(),
    putDocument: ({ kind, version, digest, line, at }) => {
      put.run({ kind, version, digest, line, at });
      sameOrDefect(`${kind} document`, version, documentDigest.get(kind, version)?.digest, digest);
    },
    document: (kind) => latest.get(kind) ?? null,
    identity: () => {
      const row = identity.get();
      return row === undefined ? null : (JSON.parse(row.json) as EnrolledIdentity);
    },
    saveIdentity: (value) => void saveIdentity.run(JSON.stringify(value)),
    signedTime: () => time.get() ?? null,
    saveSignedTime: ({ serverTime, bootMs, bootId }) => void saveTime.run({ serverTime, bootMs, bootId }),
  };
}
