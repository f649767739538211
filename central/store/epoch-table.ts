import type Database from 'better-sqlite3';

/** How an epoch came to be that the appliance opened itself. */
export interface SuccessionRow {
  /** Of the new epoch. */
  readonly origin: string;
  readonly appliance_id: string;
  readonly old_origin: string;
  /** The signed succession. */
  readonly line: string;
  /** What the appliance says: why the old epoch ended, and what it knew of its log. */
  readonly cause: string;
  readonly own_size: number | null;
  readonly own_root: string | null;
  readonly opened_at: number;
}

export interface EpochSignatureRow {
  readonly person: string;
  readonly keyid: string;
  /** Base64. */
  readonly sig: string;
}

export interface ConfirmedEpochRow {
  readonly origin: string;
  /** The signed confirmation. */
  readonly line: string;
  /** Space between them. */
  readonly persons: string;
  readonly at: number;
}

export interface EpochTable {
  addSuccession(row: SuccessionRow): void;
  succession(origin: string): SuccessionRow | null;
  /** The payload that people sign for an epoch; the first one stands. @returns the one that stands */
  draft(origin: string, payload: string, at: number): string;
  sign(origin: string, signature: EpochSignatureRow, at: number): void;
  /** By person. */
  signatures(origin: string): EpochSignatureRow[];
  /** For good; a second one changes nothing. */
  confirm(row: ConfirmedEpochRow): void;
  confirmed(origin: string): ConfirmedEpochRow | null;
}

export function epochTable(db: Database.Database): EpochTable {
  const addSuccession = db.prepare(
    `INSERT INTO successions VALUES
       (@origin, @appliance_id, @old_origin, @line, @cause, @own_size, @own_root, @opened_at)`,
  );
  const succession = db.prepare<[string], SuccessionRow>('SELECT * FROM successions WHERE origin = ?');
  const addDraft = db.prepare('INSERT OR IGNORE INTO epoch_drafts VALUES (?, ?, ?)');
  const draft = db.prepare<[string], { payload: string }>('SELECT payload FROM epoch_drafts WHERE origin = ?');
  const sign = db.prepare('INSERT OR IGNORE INTO epoch_signatures VALUES (@origin, @person, @keyid, @sig, @at)');
  const signatures = db.prepare<[string], EpochSignatureRow>(
    'SELECT person, keyid, sig FROM epoch_signatures WHERE origin = ? ORDER BY person',
  );
  const confirm = db.prepare('INSERT OR IGNORE INTO confirmed_epochs VALUES (@origin, @line, @persons, @at)');
  const confirmed = db.prepare<[string], ConfirmedEpochRow>('SELECT * FROM confirmed_epochs WHERE origin = ?');
  return {
    addSuccession: (row) => void addSuccession.run(row),
    succession: (origin) => succession.get(origin) ?? null,
    draft: (origin, payload, at) => {
      addDraft.run(origin, payload, at);
      return draft.get(origin)?.payload ?? payload;
    },
    sign: (origin, signature, at) => void sign.run({ ...signature, origin, at }),
    signatures: (origin) => signatures.all(origin),
    confirm: (row) => void confirm.run(row),
    confirmed: (origin) => confirmed.get(origin) ?? null,
  };
}
