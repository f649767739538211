// The audit of what is stored: reads every object again, a bounded part at a time, and holds it against the digest that was
// taken when it was stored. Where it is, and what it found, is in the database.
import { createHash } from 'node:crypto';
import { AgentError, isAgentError } from '../../agent/errors/agent-error.ts';
import type { AuditKind, AuditState, AuditTable } from '../store/audit-table.ts';
import type { ObjectRow, ObjectTable } from '../store/object-table.ts';
import { refOfRow, type EvidenceStore } from './evidence-store.ts';
import { splitLines, type Listed, type SegmentRef } from './segment-store.ts';

/** Work of one run. */
export interface AuditLimits {
  readonly objects: number;
  readonly bytes: number;
}
/** A gibibyte an hour is read in seconds from a disk, and in minutes from a bucket. */
export const HOURLY: AuditLimits = { objects: 20_000, bytes: 1_073_741_824 };
/** Objects that are compared with the index at once, while the log takes no upload. */
const PAGE_OBJECTS = 500;

export interface AuditDeps {
  readonly evidence: EvidenceStore;
  readonly index: ObjectTable;
  readonly audit: AuditTable;
  /** Wall clock, Unix seconds. */
  readonly now: () => number;
  /** Told of each finding when it is made. */
  readonly onFinding: (finding: Finding) => void;
}

export interface Finding {
  readonly kind: AuditKind;
  readonly origin: string;
  readonly objectId: string;
  readonly sentence: string;
}

/**
 * One run: goes on where the last one stopped, until the limits are used up or the pass is complete. Ends early, without an
 * error, on `signal`.
 *
 * @returns true when the pass is complete
 * @throws as SegmentStore.read where the store does not answer; the state says so too
 */
export async function auditEvidence(deps: AuditDeps, limits: AuditLimits, signal: AbortSignal): Promise<boolean> {
  const { audit, now } = deps;
  let state = beginRun(audit.state(), now());
  const budget = { objects: limits.objects, bytes: limits.bytes };
  const spent = (bytes: number): void => {
    budget.objects -= 1;
    budget.bytes -= bytes;
    state = { ...state, objects: state.objects + 1, bytes: state.bytes + bytes };
  };
  try {
    const origins = await allOrigins(deps);
    for (const origin of origins.filter((each) => each >= (state.cursor_origin ?? ''))) {
      let from: number | null = state.cursor_origin === origin ? state.cursor_first : 0;
      while (from !== null) {
        if (signal.aborted) return false;
        if (budget.objects <= 0 || budget.bytes <= 0) {
          state = { ...state, last_error: null };
          return false;
        }
        from = await auditPart(deps, origin, from, Math.min(PAGE_OBJECTS, budget.objects), spent);
        state = { ...state, cursor_origin: origin, cursor_first: from ?? Number.MAX_SAFE_INTEGER };
        audit.save(state);
      }
    }
    audit.resolveUnseen(state.pass_started_at, now());
    state = {
      ...state,
      cursor_origin: null,
      cursor_first: 0,
      last_error: null,
      completed_at: now(),
      completed_objects: state.objects,
      completed_bytes: state.bytes,
    };
    return true;
  } catch (error) {
    state = { ...state, last_error: isAgentError(error) ? `${error.code}: ${error.message}` : 'internal' };
    throw error;
  } finally {
    audit.save(state);
  }
}

function beginRun(before: AuditState | null, now: number): AuditState {
  const inHand = before !== null && before.cursor_origin !== null;
  return {
    pass: (before?.pass ?? 0) + (inHand ? 0 : 1),
    pass_started_at: inHand ? before.pass_started_at : now,
    cursor_origin: inHand ? before.cursor_origin : null,
    cursor_first: inHand ? before.cursor_first : 0,
    objects: inHand ? before.objects : 0,
    bytes: inHand ? before.bytes : 0,
    last_run_at: now,
    // Of the last run that came to an end: one that is under way has not shown anything yet.
    last_error: before?.last_error ?? null,
    completed_at: before?.completed_at ?? null,
    completed_objects: before?.completed_objects ?? 0,
    completed_bytes: before?.completed_bytes ?? 0,
  };
}

async function allOrigins({ evidence, index }: AuditDeps): Promise<string[]> {
  return [...new Set([...(await evidence.segments.origins()), ...index.origins()])].sort();
}

/** Objects of a log from a first entry on. @returns where to go on, null at the end of the log */
async function auditPart(
  deps: AuditDeps,
  origin: string,
  from: number,
  limit: number,
  spent: (bytes: number) => void,
): Promise<number | null> {
  const { evidence, index } = deps;
  // Within the queue of the log, so that listing and index are of one moment.
  const { page, rows } = await evidence.exclusive(origin, async () => {
    await evidence.settle(origin);
    const listed = await evidence.segments.inventory(origin, from, limit);
    return { page: listed, rows: index.startingIn(origin, from, listed.next ?? Number.MAX_SAFE_INTEGER) };
  });
  for (const name of page.strangers) {
    report(deps, { kind: 'added', origin, objectId: `${origin}: ${name}`, sentence: 'no upload has such a name' });
  }
  const listedAt = new Map(page.segments.map((listed) => [listed.first, listed]));
  for (const row of rows) {
    const listed = listedAt.get(row.first);
    listedAt.delete(row.first);
    spent(await auditObject(deps, row, listed));
  }
  for (const extra of listedAt.values()) {
    report(deps, { kind: 'added', origin, objectId: extra.objectId, sentence: 'it was never received as an upload' });
  }
  return page.next;
}

/** @returns bytes read */
async function auditObject(deps: AuditDeps, row: ObjectRow, listed: Listed | undefined): Promise<number> {
  const { evidence, audit, now } = deps;
  const { origin, object_id: objectId } = row;
  const seen = await readAgain(deps, row);
  if (seen === null) {
    evidence.reportDamage(origin, row.first, `the object with entry ${row.first} is gone`);
    report(deps, { kind: 'missing', origin, objectId, sentence: 'it is gone' });
    return 0;
  }
  if (digest(seen.bytes) !== row.sha256) {
    evidence.reportDamage(origin, row.first, `the object with entry ${row.first} was changed`);
    report(deps, { kind: 'changed', origin, objectId, sentence: 'its bytes are not those that were stored' });
  } else audit.resolve(origin, objectId, ['missing', 'changed'], now());
  if (seen.weakness === null) audit.resolve(origin, objectId, ['weak'], now());
  else report(deps, { kind: 'weak', origin, objectId, sentence: seen.weakness });
  if (listed?.hidden === true) {
    report(deps, { kind: 'hidden', origin, objectId, sentence: 'a delete marker was put over it; it is still there' });
  } else audit.resolve(origin, objectId, ['hidden'], now());
  let bytes = seen.bytes.length;
  for (const other of othersBeside(row, listed)) {
    const copy = await evidence.segments.read(other);
    bytes += copy.bytes.length;
    // The same lines again are an upload that was repeated after a lost answer, or taken by a second server.
    if (await repeatsTheLog(evidence, row, copy.bytes)) continue;
    report(deps, { kind: 'added', origin, objectId: other.objectId, sentence: 'other bytes under a name in use' });
  }
  return bytes;
}

async function repeatsTheLog(evidence: EvidenceStore, { origin, first }: ObjectRow, bytes: Buffer): Promise<boolean> {
  const lines = splitLines(bytes) ?? [];
  const stored = await evidence.read(origin, first, first + lines.length);
  return (
    lines.length > 0 && stored.length === lines.length && stored.every((line, i) => line.equals(lines[i] as Buffer))
  );
}

function othersBeside(row: ObjectRow, listed: Listed | undefined): SegmentRef[] {
  if (listed === undefined) return [];
  return [listed, ...listed.others].filter(({ objectId }) => objectId !== row.object_id);
}

async function readAgain(
  { evidence }: AuditDeps,
  row: ObjectRow,
): Promise<{ bytes: Buffer; weakness: string | null } | null> {
  try {
    return await evidence.segments.read(refOfRow(row), row.retain_until);
  } catch (error) {
    if (error instanceof AgentError && error.code === 'evidence_damaged') return null;
    throw error;
  }
}

function report({ audit, now, onFinding }: AuditDeps, finding: Finding): void {
  const { kind, origin, objectId, sentence } = finding;
  audit.found({ kind, origin, object_id: objectId, sentence }, now());
  onFinding(finding);
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
