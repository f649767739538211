// Brings what a content list names, by digest, before the list comes into force: all of it, or the list before stays.
import { AgentError } from '../errors/agent-error.ts';
import { expectAnswer } from '../https/expect-answer.ts';
import { sha256Hex } from '../wire/digest.ts';
import type { ContentList } from '../wire/schemas/content.ts';
import type { UplinkDeps } from './uplink-deps.ts';

const CONTENT_PATH = '/api/v1/appliances/content';
export const CONTENT_MEDIA_TYPE = 'application/octet-stream';
const FILE_DEADLINE_MS = 20_000;
/** Room for a problem document in the place of a small file. */
const PROBLEM_BYTES = 8_192;
/** All files of one list. */
export const MAX_CONTENT_BYTES = 64 * 1_048_576;
/** One check-in brings files for this long; what it got is kept, and the next one goes on. */
const FETCH_FOR_MS = 25_000;

/**
 * @returns false where time ran out; what came is kept
 * @throws content_too_large; content_mismatch for bytes that are not those of the digest; what the transport throws
 */
export async function fetchContent(
  d: UplinkDeps,
  list: ContentList,
  signal: AbortSignal,
  runId: string,
): Promise<boolean> {
  const bytes = list.files.reduce((sum, file) => sum + file.size, 0);
  if (bytes > MAX_CONTENT_BYTES) {
    throw new AgentError('content_too_large', `the files of content list ${list.version} have ${bytes} bytes`);
  }
  const { content } = d.store;
  const startedMs = d.clock.monoMs();
  for (const file of list.files) {
    if (content.has(file.sha256)) continue;
    if (d.clock.monoMs() - startedMs > FETCH_FOR_MS) return false;
    content.write(await fetchFile(d, file, signal, runId));
  }
  return true;
}

async function fetchFile(
  d: UplinkDeps,
  file: ContentList['files'][number],
  signal: AbortSignal,
  runId: string,
): Promise<Buffer> {
  const response = await d.https.request({
    method: 'GET',
    path: `${CONTENT_PATH}/${file.sha256}`,
    headers: { accept: CONTENT_MEDIA_TYPE, 'x-correlation-id': runId },
    deadlineMs: FILE_DEADLINE_MS,
    maxResponseBytes: Math.max(file.size + 1, PROBLEM_BYTES),
    signal,
  });
  const body = expectAnswer(response, { host: d.https.host, mediaType: CONTENT_MEDIA_TYPE });
  if (body.length === file.size && sha256Hex(body) === file.sha256) return body;
  throw new AgentError('content_mismatch', `what came for ${file.path} is not what the content list names`, {
    place: d.https.host,
    details: { named: file.sha256 },
  });
}
