// Uploads evidence in order and keeps the receipts. Entries are only ever read here; on any failure they stay where they are.
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { isAgentError, type AgentError } from '../errors/agent-error.ts';
import { expectAnswer } from '../https/expect-answer.ts';
import { DSSE_MEDIA_TYPE, withoutFinalLineFeed } from '../identity/signed-exchange.ts';
import { openDocument, type Opened } from '../trust/open-document.ts';
import { maxLineBytes } from '../wire/document.ts';
import { judgeReceipt } from './judge-receipt.ts';
import { lackingBetween } from './judge-stored.ts';
import type { ParkedRow } from '../store/open-store.ts';
import { nowSeconds, type UplinkDeps } from './uplink-deps.ts';
import { extend, rootHex, type Mark, type UploadMark } from './upload-mark.ts';
import { backoffMs, isParked, judgeUploadFailure, parkCode, parkUntil } from './upload-pace.ts';

const EVIDENCE_PATH = '/api/v1/appliances/evidence';
/** What one upload may hold (docs/formats/upload-and-receipts.md); bytes before compression, line feeds included. */
export const MAX_BATCH_ENTRIES = 500;
export const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/** One batch on a slow line: 4 MiB compress to about 400 KiB. */
const UPLOAD_DEADLINE_MS = 60_000;

const compress = promisify(gzip);

export interface Parked {
  readonly code: string;
  readonly sentence: string;
  /** Next full try, Unix seconds. */
  readonly until: number;
}

export interface UploadResult {
  /** Entries that a receipt now covers and did not before. */
  readonly uploaded: number;
  /** Entries that Central Command holds as far as we know. */
  readonly storedSize: number;
  readonly remaining: number;
  readonly parked: Parked | null;
}

export interface Uploader {
  /**
   * At most one batch. A refusal is parked and returned; a failure of network or server is thrown, and thrown again without
   * a try until its backoff is over.
   */
  uploadOnce(signal: AbortSignal, runId?: string): Promise<UploadResult>;
  /** After a verified check-in answer: the way is open, so what waited is tried again. */
  noteGoodAnswer(): void;
}

interface Waiting {
  readonly error: AgentError;
  readonly untilMs: number;
}

export function createUploader(d: UplinkDeps, mark: UploadMark): Uploader {
  const { store, clock } = d;
  const { origin, epoch } = d.identity;
  let failures = 0;
  let waiting: Waiting | null = null;
  /** A good check-in allows one try with one entry while parked: cheap, and the first to see that the cause is gone. */
  let probeAllowed = false;

  const result = (uploaded: number, parked: Parked | null): UploadResult => {
    const storedSize = store.uplink.pointer(origin);
    return { uploaded, storedSize, remaining: store.entries.state(epoch).size - storedSize, parked };
  };

  const uploadBatch = async (base: Mark, maxEntries: number, signal: AbortSignal, runId: string): Promise<number> => {
    const lines = store.entries.range(epoch, base.size, { maxEntries, maxBytes: MAX_BATCH_BYTES });
    const own = extend(base, lines);
    const raw = Buffer.from(lines.map(({ line }) => `${line}\n`).join(''));
    const response = await sendBatch(d, base.size, await compress(raw), signal, runId);
    const receipt = openReceipt(d, expectAnswer(response, { host: d.https.host, mediaType: DSSE_MEDIA_TYPE }));
    const { size } = receipt.value;
    const limit = store.entries.state(epoch).size;
    // Central Command may hold more than this batch: an earlier receipt was lost on the way.
    const covered = size === own.size || size > limit ? own : await mark.at(size, signal);
    judgeReceipt(receipt.value, {
      origin,
      minSize: own.size,
      size: limit,
      root: size > limit ? null : rootHex(covered),
    });
    store.unit(() => {
      const { line, value } = receipt;
      store.uplink.saveReceipt({ origin, size, root: value.root, line, at: nowSeconds(clock) });
      store.uplink.setPointer(origin, size);
      mark.save(covered);
      store.uplink.unpark(origin);
    });
    for (const bad of receipt.value.stored_unverified) {
      d.log.warn('central command could not verify an entry', { run_id: runId, seq: bad.seq, code: bad.code });
    }
    return size - base.size;
  };

  const handleFailure = (error: unknown, firstSeq: number, probe: boolean): UploadResult => {
    if (!isAgentError(error)) throw error;
    const decision = judgeUploadFailure(error, firstSeq);
    switch (decision.kind) {
      case 'move_back':
        store.uplink.setPointer(origin, decision.to);
        d.log.warn('central command expects earlier entries, uploading again', { from: decision.to, had: firstSeq });
        return result(0, null);
      case 'park': {
        const before = store.uplink.parked(origin);
        // A probe that is refused leaves the pause as it is; else a minute's check-ins would stretch it for ever.
        const pause =
          probe && before !== null
            ? { until: before.until, tries: before.tries }
            : parkUntil(before?.tries ?? 0, nowSeconds(clock));
        const row = { code: parkCode(error), sentence: error.message, ...pause };
        store.uplink.park(origin, row);
        if (before?.code !== row.code) d.log.warn('upload parked', { code: row.code, reason: row.sentence });
        return result(0, row);
      }
      case 'wait':
        failures += 1;
        waiting = { error, untilMs: clock.monoMs() + backoffMs(failures, d.ids.random(), decision.retryAfterS) };
        throw error;
      case 'pass_on':
        throw error;
    }
  };

  /** Nothing is sent: Central Command would ask for the pruned lines for ever. A check-in says when it has them again. */
  const waitForRestore = (from: number, to: number): ParkedRow => {
    const row = {
      code: 'evidence_pruned_early',
      sentence: lackingBetween(from, to).sentence,
      until: nowSeconds(clock),
      tries: 1,
    };
    const before = store.uplink.parked(origin);
    if (before?.code !== row.code) {
      d.log.error('upload parked', { code: row.code, reason: row.sentence });
      store.uplink.park(origin, row);
    }
    return row;
  };

  return {
    async uploadOnce(signal, runId = d.ids.uuidv7()) {
      const pointer = store.uplink.pointer(origin);
      if (pointer >= store.entries.state(epoch).size) return result(0, null);
      const pruned = store.prunes.get(epoch)?.size ?? 0;
      if (pointer < pruned) return result(0, waitForRestore(pointer, pruned));
      const parked = store.uplink.parked(origin);
      const held = isParked(parked, nowSeconds(clock));
      if (held && !probeAllowed) return result(0, parked);
      if (waiting !== null && clock.monoMs() < waiting.untilMs) throw waiting.error;
      probeAllowed = false;
      try {
        const base = await mark.at(pointer, signal);
        const uploaded = await uploadBatch(base, held ? 1 : MAX_BATCH_ENTRIES, signal, runId);
        failures = 0;
        waiting = null;
        return result(uploaded, null);
      } catch (error) {
        return handleFailure(error, pointer, held);
      }
    },
    noteGoodAnswer() {
      probeAllowed = true;
      // The server itself asked for the pause: an answer to another route does not end it.
      if (waiting?.error.code !== 'http_unavailable') waiting = null;
    },
  };
}

/** One batch of evidence, as it is; what answers is a receipt or a problem. */
export function sendBatch(d: UplinkDeps, firstSeq: number, body: Buffer, signal: AbortSignal, runId: string) {
  return d.https.request({
    method: 'POST',
    path: EVIDENCE_PATH,
    headers: {
      'content-type': 'application/x-ndjson',
      'content-encoding': 'gzip',
      accept: DSSE_MEDIA_TYPE,
      'x-correlation-id': runId,
      'x-evidence-origin': d.identity.origin,
      'x-evidence-first-seq': String(firstSeq),
    },
    body,
    deadlineMs: UPLOAD_DEADLINE_MS,
    maxResponseBytes: maxLineBytes('receipt') + 1,
    signal,
    lane: 'bulk',
  });
}

/** Verifies the answer to a batch. @throws the errors of openDocument */
export function openReceipt(d: UplinkDeps, body: Buffer): Opened<'receipt'> {
  const line = withoutFinalLineFeed(body).toString('utf8');
  return openDocument(d.root().root, 'receipt', 'receipt', line, {
    place: `${d.https.host}${EVIDENCE_PATH}`,
    revokedKeyids: d.revokedKeyids(),
  });
}
