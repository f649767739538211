// Where an interrupted verification stood: what was verified, bound to the digest of those lines and to everything that it was
// verified against. Whoever can write this file decides what is not looked at again: keep it where you keep the verifier.
import { createHash } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import * as v from 'valibot';
import { AgentError } from '../errors/agent-error.ts';
import { readFileLimited, writeFileAtomic } from '../system/files.ts';
import type { LogVerifierState } from '../verify/log-verifier.ts';

const SCHEMA = 'compliance-agent/verify-resume/v1';
/** Each log has a few KiB of state. */
const MAX_BYTES = 16 * 1_024 * 1_024;

/** How far one log was verified: so many lines, and the SHA-256 over them, each with an LF. */
export interface ResumePoint {
  readonly lines: number;
  readonly sha256: string;
  readonly state: LogVerifierState;
}

export interface ResumeFile {
  /** Null where this log was not begun. */
  stateOf(source: string): ResumePoint | null;
  save(source: string, point: ResumePoint): void;
  /** When all is verified. */
  remove(): void;
}

const hex = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const size = v.nullable(v.strictObject({ size: count, at: count }));
const counts = v.record(v.string(), count);
const point = v.strictObject({
  lines: count,
  sha256: hex,
  state: v.strictObject({
    size: count,
    hashes: v.array(hex),
    prev: v.nullable(hex),
    leftOut: count,
    identity: v.array(v.strictObject({ seq: count, prev: hex, line: v.string() })),
    witnessed: size,
    vouched: counts,
    anchors: count,
    counts,
    results: counts,
    refusals: counts,
    firstAt: v.nullable(count),
    lastAt: v.nullable(count),
    odd: v.strictObject({ backwards: count, future: count }),
    previousAt: count,
  }),
});
const file = v.strictObject({ schema: v.literal(SCHEMA), against: hex, logs: v.record(v.string(), point) });

/**
 * Opens or begins the file at `path`.
 *
 * @param against everything that the result depends on besides the lines: roots, receipts, checkpoints, version …
 * @throws resume_mismatch where the file is of another verification, or is no such file
 */
export function openResumeFile(path: string, against: readonly string[]): ResumeFile {
  const digest = createHash('sha256').update(JSON.stringify(against)).digest('hex');
  const logs = existsSync(path) ? read(path, digest) : {};
  return {
    stateOf: (source) => (Object.hasOwn(logs, source) ? (logs[source] ?? null) : null),
    save(source, point) {
      logs[source] = point;
      writeFileAtomic(path, `${JSON.stringify({ schema: SCHEMA, against: digest, logs })}\n`);
    },
    remove: () => rmSync(path, { force: true }),
  };
}

function read(path: string, digest: string): Record<string, ResumePoint> {
  let value: unknown;
  try {
    value = JSON.parse(readFileLimited(path, MAX_BYTES).toString('utf8'));
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    throw mismatch('the file is not one that verification left', path);
  }
  const parsed = v.safeParse(file, value);
  if (!parsed.success) throw mismatch('the file is not one that verification left', path);
  if (parsed.output.against !== digest) {
    throw mismatch('the roots, receipts, checkpoints, options or the agent are not those of the earlier run', path);
  }
  return parsed.output.logs;
}

const mismatch = (sentence: string, place: string): AgentError<'resume_mismatch'> =>
  new AgentError('resume_mismatch', sentence, { place });
