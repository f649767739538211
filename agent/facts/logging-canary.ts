// The job behind `logging`: writes a message that nobody can guess to journald's socket and looks for it in the journal.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as v from 'valibot';
import { AgentError } from '../errors/agent-error.ts';
import { readFileLimited, writeFileAtomic } from '../system/files.ts';
import { openDatagramSender, type SendDatagram } from '../system/unix-datagram.ts';
import type { JobOutcome } from './backup-jobs.ts';
import { makeJobsDir } from './job-result.ts';
import { queryJournal, type JournalEntry } from './journal-query.ts';
import type { ProbeContext } from './probe.ts';

/** journald stores a message within milliseconds; a machine under load takes longer. */
const SEEN_WITHIN_MS = 5_000;
const FIRST_LOOK_MS = 20;
/** A day of canaries, one each 15 minutes, and as many again by hand. */
const MAX_REMEMBERED = 192;
const DAY_S = 86_400;
const MAX_HISTORY_BYTES = 64 * 1024;
const ID_BYTES = 16;
/** Root may have run the job by hand; the agent has to be able to read on from there. */
const HISTORY_MODE = 0o644;

const IDENTIFIER = 'compliance-agent-canary';
const FIELD = 'COMPLIANCE_AGENT_CANARY';

const canary = v.strictObject({
  id: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  /** Unix seconds. */
  at: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});
const historySchema = v.strictObject({
  schema: v.literal('compliance-agent/canaries/v1'),
  canaries: v.pipe(v.array(canary), v.maxLength(MAX_REMEMBERED)),
});
export type Canary = v.InferOutput<typeof canary>;

const historyPath = (stateDir: string): string => join(stateDir, 'jobs', 'logging-canaries.json');

/** Empty where there is none yet, or none that can be understood: then a gap is not seen for a day, and nothing is invented. */
function readHistory(stateDir: string): readonly Canary[] {
  try {
    const value: unknown = JSON.parse(readFileLimited(historyPath(stateDir), MAX_HISTORY_BYTES).toString('utf8'));
    const parsed = v.safeParse(historySchema, value);
    return parsed.success ? parsed.output.canaries : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    if (error instanceof AgentError && error.code === 'file_missing') return [];
    throw error;
  }
}

function writeHistory(stateDir: string, canaries: readonly Canary[]): void {
  makeJobsDir(stateDir);
  const text = JSON.stringify({ schema: 'compliance-agent/canaries/v1', canaries });
  writeFileAtomic(historyPath(stateDir), `${text}\n`, { mode: HISTORY_MODE, sync: false });
}

/** Pure: what is still expected to be in the journal. A time ahead of `now` was written by a clock that was wrong. */
export function remembered(canaries: readonly Canary[], now: number): Canary[] {
  return canaries.filter(({ at }) => at <= now && at > now - DAY_S).slice(-MAX_REMEMBERED + 1);
}

/** The native protocol of journald: one `FIELD=value` a line. Severity 7: this interests nobody else. */
function message(id: string): Buffer {
  const fields = [
    'MESSAGE=canary of the compliance agent',
    'PRIORITY=7',
    `SYSLOG_IDENTIFIER=${IDENTIFIER}`,
    `${FIELD}=${id}`,
  ];
  return Buffer.from(`${fields.join('\n')}\n`);
}

const idsOf = (entries: readonly JournalEntry[]): Set<unknown> => new Set(entries.map((entry) => entry[FIELD]));

/** Milliseconds until the canary could be read, or null at the deadline. */
async function lookFor(context: ProbeContext, id: string): Promise<number | null> {
  const startedMs = performance.now();
  for (let waitMs = FIRST_LOOK_MS; ; waitMs *= 2) {
    const leftMs = SEEN_WITHIN_MS - (performance.now() - startedMs);
    if (leftMs <= 0) return null;
    const found = await queryJournal({ ...context, deadlineMs: leftMs }, [FIELD], 1, [`${FIELD}=${id}`]);
    if (idsOf(found).has(id)) return Math.round(performance.now() - startedMs);
    await delay(Math.min(waitMs, leftMs), undefined, context.signal === undefined ? {} : { signal: context.signal });
  }
}

/** Those that were written before and are not in the journal (any more). */
async function countMissing(context: ProbeContext, expected: readonly Canary[]): Promise<number> {
  if (expected.length === 0) return 0;
  const matches = expected.map(({ id }) => `${FIELD}=${id}`);
  // Whoever reads the journal could repeat a canary; what is asked for is whether each is there.
  const lines = 2 * MAX_REMEMBERED;
  const held = idsOf(await queryJournal({ ...context, deadlineMs: SEEN_WITHIN_MS }, [FIELD], lines, matches));
  return expected.filter(({ id }) => !held.has(id)).length;
}

const senders = new Map<string, SendDatagram>();

/** One socket for the life of the process. */
function senderTo(path: string): SendDatagram {
  const sender = senders.get(path) ?? openDatagramSender(path);
  senders.set(path, sender);
  return sender;
}

/** Proven: written and read back. Disproven: `not_written` (nobody takes it) or `not_seen`. @throws Unreadable */
export async function loggingCanaryJob(context: ProbeContext): Promise<JobOutcome> {
  const now = Math.floor(context.clock.wallMs() / 1000);
  const earlier = remembered(readHistory(context.stateDir), now);
  const id = randomBytes(ID_BYTES).toString('hex');
  // Remembered before it is written: a canary that nobody took is a gap too.
  writeHistory(context.stateDir, [...earlier, { id, at: now }]);
  const subject = null;
  const errno = senderTo(join(context.runDir ?? '/run', 'systemd/journal/socket'))(message(id));
  if (errno !== 0) return { outcome: 'disproven', reason: 'not_written', subject, counts: {} };
  const latencyMs = await lookFor(context, id);
  const counts = { expected: earlier.length, missing: await countMissing(context, earlier) };
  if (latencyMs === null) return { outcome: 'disproven', reason: 'not_seen', subject, counts };
  return { outcome: 'proven', reason: null, subject, counts: { ...counts, latency_ms: latencyMs } };
}
