// Facts that need root, handed over as files: a root oneshot writes them (`facts NAME --write DIR`), the daemon reads them
// where it may not read itself. The probes are the same ones.
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { AgentError } from '../errors/agent-error.ts';
import { readUnforgeableFile, writeFileAtomic } from '../system/files.ts';
import { UNREADABLE_REASONS, type Fact, type Probe, type RootFacts, type UnreadableReason } from './probe.ts';

/** Where root's oneshots leave facts. A folder of root's, that nobody else may write into. */
export const ROOT_FACTS_DIR = '/run/compliance-agent/facts';

/** A ruleset or a list of mounts; the same limit as for the output of a tool. */
const MAX_FACT_BYTES = 8 * 1024 * 1024;
/** A timer that missed one turn is late, one that missed two has stopped. */
const MAX_AGE_TURNS = 2;
/** Further ahead than this was not read by this clock. */
const FUTURE_S = 60;
/** Anybody may read what was read; secrets are in no fact. */
const FACT_MODE = 0o644;
const ROOT_UID = 0;

const time = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const schema = v.strictObject({
  schema: v.literal('compliance-agent/fact/v1'),
  agent_version: v.string(),
  fact: v.variant('status', [
    v.strictObject({
      status: v.literal('read'),
      probe: v.string(),
      value: v.record(v.string(), v.unknown()),
      readAt: time,
    }),
    v.strictObject({
      status: v.literal('unreadable'),
      probe: v.string(),
      reason: v.picklist(UNREADABLE_REASONS),
      detail: v.string(),
      readAt: time,
    }),
  ]),
});

const pathOf = (dir: string, probe: string): string => join(dir, `${probe}.json`);

/** Replaces `<dir>/<probe>.json` in one step. @throws AgentError of writing */
export function writeRootFact(dir: string, fact: Fact<unknown>, agentVersion: string): void {
  const text = JSON.stringify({ schema: 'compliance-agent/fact/v1', agent_version: agentVersion, fact });
  // On tmpfs a sync does nothing, and a restart reads anew anyway.
  writeFileAtomic(pathOf(dir, fact.probe), `${text}\n`, { mode: FACT_MODE, sync: false });
}

/** Pure: why what stands in such a file cannot be used, or null. `readAt` and `now` are Unix seconds. */
export function staleness(readAt: number, everyS: number, now: number): string | null {
  if (readAt > now + FUTURE_S) return `it is dated ${readAt - now} s ahead`;
  const age = now - readAt;
  return age > MAX_AGE_TURNS * everyS ? `it is ${age} s old, and a new one is due every ${everyS} s` : null;
}

/** A folder that others may write into: they could put an old file of root's back. @throws file_permissions, errors of lstat */
export function assertRootsOwn(dir: string, rootUid = ROOT_UID): void {
  const stat = lstatSync(dir);
  if (stat.isDirectory() && stat.uid === rootUid && (stat.mode & 0o022) === 0) return;
  throw new AgentError('file_permissions', 'facts are read from a folder that only root can write into', {
    place: dir,
  });
}

interface Unusable {
  readonly reason: UnreadableReason;
  readonly detail: string;
}

function unusable(error: unknown): Unusable {
  const detail = error instanceof Error ? error.message : String(error);
  const isForgeable = error instanceof AgentError && error.code === 'file_permissions';
  return { reason: isForgeable ? 'untrusted' : 'failed', detail };
}

function parse(bytes: Buffer): v.InferOutput<typeof schema> | null {
  try {
    const parsed = v.safeParse(schema, JSON.parse(bytes.toString('utf8')));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}

/** What root's oneshot left for this probe; null where it left nothing. Never throws. */
export function readRootFact<T>(probe: Probe<T>, everyS: number, from: RootFacts, now: number): Fact<T> | null {
  const path = pathOf(from.dir, probe.name);
  const refuse = ({ reason, detail }: Unusable, readAt = now): Fact<T> => ({
    status: 'unreadable',
    probe: probe.name,
    reason,
    detail: `${path}: ${detail}`,
    readAt,
  });
  let bytes: Buffer;
  try {
    assertRootsOwn(from.dir);
    bytes = readUnforgeableFile(path, MAX_FACT_BYTES, ROOT_UID);
  } catch (error) {
    const isMissing =
      error instanceof AgentError ? error.code === 'file_missing' : (error as NodeJS.ErrnoException).code === 'ENOENT';
    return isMissing ? null : refuse(unusable(error));
  }
  const file = parse(bytes);
  if (file === null || file.fact.probe !== probe.name) {
    return refuse({ reason: 'unparsable', detail: 'it is not what the agent writes' });
  }
  const { fact } = file;
  if (file.agent_version !== from.agentVersion) {
    return refuse({ reason: 'stale', detail: `version ${file.agent_version} of the agent wrote it` }, fact.readAt);
  }
  const stale = staleness(fact.readAt, everyS, now);
  if (stale !== null) return refuse({ reason: 'stale', detail: stale }, fact.readAt);
  // The same version of the same probe wrote it, and only root could.
  return fact as Fact<T>;
}
