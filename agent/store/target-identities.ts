// Which machine stands behind each target's id: pinned at first contact, never replaced.
import type { Db } from './connection.ts';

export interface TargetIdentityRow {
  readonly targetId: string;
  /** As the machine said it at first contact. */
  readonly machineSid: string;
  /** Unix seconds. */
  readonly pinnedAt: number;
  /** What answered last in its place; null while the pinned machine answers. */
  readonly otherSid: string | null;
  readonly otherAt: number | null;
}

export interface TargetIdentitiesTable {
  byTarget(targetId: string): TargetIdentityRow | null;
  /** Does nothing where the target is pinned already. */
  pin(targetId: string, machineSid: string, at: number): void;
  /** Another machine answered; null: the pinned one does again. */
  noteOther(targetId: string, otherSid: string | null, at: number): void;
  list(): TargetIdentityRow[];
}

const ROW = `target_id AS targetId, machine_sid AS machineSid, pinned_at AS pinnedAt, other_sid AS otherSid,
  other_at AS otherAt`;

export function targetIdentitiesTable(db: Db): TargetIdentitiesTable {
  const byTarget = db.query<TargetIdentityRow>(`SELECT ${ROW} FROM target_identities WHERE target_id = ?`);
  const pin = db.query(
    `INSERT INTO target_identities (target_id, machine_sid, pinned_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
  );
  const note = db.query(`UPDATE target_identities SET other_sid = ?, other_at = ? WHERE target_id = ?`);
  const list = db.query<TargetIdentityRow>(`SELECT ${ROW} FROM target_identities ORDER BY target_id`);
  return {
    byTarget: (targetId) => byTarget.get(targetId) ?? null,
    pin: (targetId, machineSid, at) => void pin.run(targetId, machineSid, at),
    noteOther: (targetId, otherSid, at) => void note.run(otherSid, otherSid === null ? null : at, targetId),
    list: () => list.all(),
  };
}
