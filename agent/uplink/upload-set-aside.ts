// What can still be read of a damaged database is uploaded too, from where Central Command's copy ends. The tree of that log is
// gone, so a receipt is verified by its signature and origin alone: it says what Central Command holds, and that is all we ask.
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { expectAnswer } from '../https/expect-answer.ts';
import { DSSE_MEDIA_TYPE } from '../identity/signed-exchange.ts';
import type { DamagedStore } from '../store/open-store.ts';
import { leafHash } from '../wire/merkle.ts';
import { MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, openReceipt, sendBatch } from './upload.ts';
import { judgeUploadFailure, parkCode } from './upload-pace.ts';
import { nowSeconds, type UplinkDeps } from './uplink-deps.ts';

export interface SetAsideProgress {
  /** Entries that Central Command holds; null: not known yet. */
  readonly stored: number | null;
  /** Nothing more can be uploaded. */
  readonly done: boolean;
}

/**
 * One batch.
 *
 * @throws what an upload throws where the way or the server is out of order, or refuses for another reason than the entries
 */
export async function uploadSetAside(
  d: UplinkDeps,
  log: { readonly origin: string; readonly epoch: number; readonly stored: number | null },
  damaged: DamagedStore,
  signal: AbortSignal,
  runId: string,
): Promise<SetAsideProgress> {
  const { origin, epoch, stored } = log;
  const last = damaged.lastSeq(epoch);
  if (last === null || (stored !== null && stored > last)) return { stored, done: true };
  const batch = readable(damaged, epoch, stored, last);
  // A hole where Central Command would go on: what lies behind it cannot follow.
  if (batch === null) return { stored, done: true };
  const body = await promisify(gzip)(Buffer.from(batch.lines.map((line) => `${line}\n`).join('')));
  const to = { ...d, identity: { ...d.identity, origin, epoch } };
  try {
    const response = await sendBatch(to, batch.from, body, signal, runId);
    const receipt = openReceipt(to, expectAnswer(response, { host: d.https.host, mediaType: DSSE_MEDIA_TYPE }));
    const { size, root } = receipt.value;
    if (receipt.value.origin !== origin) throw new AgentError('receipt_mismatch', 'the receipt is for another log');
    d.store.uplink.saveReceipt({ origin, size, root, line: receipt.line, at: nowSeconds(d.clock) });
    return { stored: size, done: size > last };
  } catch (error) {
    if (!isAgentError(error)) throw error;
    const decision = judgeUploadFailure(error, batch.from);
    if (decision.kind === 'move_back') return { stored: decision.to, done: false };
    if (decision.kind === 'park' && parkCode(error) === 'evidence_conflict') return { stored, done: true };
    throw error;
  }
}

/** Lines in a row whose leaves hold: from where Central Command's copy ends, or the newest ones while that is not known. */
function readable(
  damaged: DamagedStore,
  epoch: number,
  stored: number | null,
  last: number,
): { readonly from: number; readonly lines: readonly string[] } | null {
  let from = stored ?? Math.max(0, last - MAX_BATCH_ENTRIES + 1);
  for (; from <= last; from += 1) {
    const lines: string[] = [];
    let bytes = 0;
    for (const { line, leaf } of damaged.lines(epoch, from, MAX_BATCH_ENTRIES)) {
      bytes += Buffer.byteLength(line) + 1;
      if (!leafHash(line).equals(leaf) || bytes > MAX_BATCH_BYTES) break;
      lines.push(line);
    }
    if (lines.length > 0) return { from, lines };
    if (stored !== null) return null;
  }
  return null;
}
