// Findings that were recorded, as rules see them: from the local log, from lines of a log, or written by hand.
import * as v from 'valibot';
import { AgentError } from '../errors/agent-error.ts';
import type { RuleSubject } from '../healing/rule-index.ts';
import { readFileLimited } from '../system/files.ts';
import { checkResult, id, name, plainObject, severity, unixSeconds } from '../wire/schemas/primitives.ts';
import type { CliContext } from './deps.ts';
import { statementOf } from './entry-summary.ts';
import { stateDirOf, withEnrolledStore } from './open-state.ts';

/** Newest findings of the local log that are taken. */
const MAX_FINDINGS = 200;
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** A finding as `check --json` and an entry write it: fields beside these are left alone. */
const written = v.object({
  target: v.object({ id, role: name }),
  check: v.object({ id: name }),
  result: checkResult,
  severity,
  facts: plainObject,
  facts_read_at: unixSeconds,
  observed_from: v.optional(unixSeconds),
  seq: v.optional(v.number()),
});

export interface RecordedFinding {
  readonly seq: number | null;
  readonly target: string;
  readonly subject: RuleSubject;
}

function recorded(value: v.InferOutput<typeof written>): RecordedFinding {
  const { target, check, result, facts, facts_read_at: readAt, observed_from: from = readAt } = value;
  return {
    seq: value.seq ?? null,
    target: target.id,
    subject: {
      platform: target.role === 'appliance' ? 'appliance' : 'windows',
      check: check.id,
      ...{ result, severity: value.severity, facts, readAt },
      failingSince: from,
      role: target.role,
    },
  };
}

function fromLine(line: string, place: string): RecordedFinding[] {
  let value: unknown;
  try {
    value = JSON.parse(line);
    if (typeof value === 'object' && value !== null && 'payload' in value) {
      const { predicate } = statementOf(line);
      if (predicate.kind !== 'finding') return [];
      value = predicate;
    }
  } catch (cause) {
    throw new AgentError('schema_invalid', 'the line is neither an entry of a log nor a finding', { place, cause });
  }
  const checked = v.safeParse(written, value, { abortEarly: true });
  if (checked.success) return [recorded(checked.output)];
  const where = checked.issues[0].path?.map((item) => String(item.key)).join('.') ?? 'the line';
  throw new AgentError('schema_invalid', `the finding is not one: ${where}: ${checked.issues[0].message}`, { place });
}

/** Of `file` (a line each: entries of a log, unverified, or findings), or the newest ones of the local log. */
export async function recordedFindings(context: CliContext, file: string | null): Promise<RecordedFinding[]> {
  if (file !== null) {
    const lines = readFileLimited(file, MAX_FILE_BYTES).toString().split('\n');
    return lines.flatMap((line, i) => (line.trim() === '' ? [] : fromLine(line, `${file}:${i + 1}`)));
  }
  return withEnrolledStore(context, stateDirOf(context), (store, identity) =>
    store.entries
      .list(identity.epoch, { kind: 'finding', limit: MAX_FINDINGS, newestFirst: true })
      .flatMap((row) => fromLine(row.line, `entry ${row.seq}`)),
  );
}
