// Room `uplink`: everything that an enrolled appliance says to Central Command and hears from it. Check-in, evidence upload,
// and the documents in force; orders and results are the callers' business.
import type { EvidenceLog } from '../evidence/log.ts';
import type { HttpsClient } from '../https/client.ts';
import { countingBytes } from '../https/counting-bytes.ts';
import type { CheckpointRow, DamagedStore } from '../store/open-store.ts';
import type { CheckinAnswer, Health } from '../wire/schemas/checkin.ts';
import { closedUploads } from './closed-uploads.ts';
import { askForTime, checkIn, type CheckinInput, type CheckinResult } from './check-in.ts';
import { catchUpRoots, syncTrust, type TrustChanges } from './sync-trust.ts';
import type { UplinkDeps } from './uplink-deps.ts';
import { createUploadMark } from './upload-mark.ts';
import { uploadSetAside, type SetAsideProgress } from './upload-set-aside.ts';
import { createUploader, type UploadResult } from './upload.ts';
import { createWitness, type WitnessConflict } from './witness.ts';

export interface Uplink {
  /** One try with a new nonce and key; never two at once. See check-in.ts for what it throws. */
  checkIn(input: CheckinInput, signal: AbortSignal): Promise<CheckinResult>;
  /** Over another connection; nothing is kept of the answer but its time. See check-in.ts for what it throws. */
  askForTime(over: HttpsClient, input: CheckinInput, signal: AbortSignal): Promise<void>;
  /** One batch at most. See upload.ts. */
  uploadOnce(signal: AbortSignal, runId?: string): Promise<UploadResult>;
  /** Takes over what `answer` named. See sync-trust.ts. */
  syncTrust(
    answer: CheckinAnswer,
    evidence: Pick<EvidenceLog, 'append'>,
    signal: AbortSignal,
    runId?: string,
  ): Promise<TrustChanges>;
  /** The next {@link syncTrust} looks for every file of the content list in force, also where all were here before. */
  lookAtContentAgain(): void;
  /** To be called when a check-in fails with signature_invalid. @returns whether a newer root came into force */
  catchUpRoots(evidence: Pick<EvidenceLog, 'append'>, signal: AbortSignal, runId?: string): Promise<boolean>;
  /**
   * One batch of an epoch that has ended, oldest first; 0 where nothing is left of them. What Central Command holds with other
   * bytes ends the upload of that epoch: it keeps both.
   */
  uploadClosedOnce(signal: AbortSignal, runId?: string): Promise<number>;
  /** One batch of a log in a damaged database. See upload-set-aside.ts. */
  uploadSetAside(
    log: Parameters<typeof uploadSetAside>[1],
    damaged: DamagedStore,
    signal: AbortSignal,
    runId: string,
  ): Promise<SetAsideProgress>;
  /** What waits to be uploaded. */
  queue(): Health['queue'];
  /** Entries that Central Command holds as far as we know. */
  storedSize(): number;
  /** The last checkpoint of our log that the witness cosigned. */
  cosigned(): CheckpointRow | null;
  /** Set once the witness showed a checkpoint of ours that the log contradicts. */
  conflict(): WitnessConflict | null;
}

const DAY_MS = 86_400_000;

export function createUplink(deps: UplinkDeps): Uplink {
  const { store, clock } = deps;
  const { origin, epoch } = deps.identity;
  const https = countingBytes(deps.https, ({ sent, received }) => {
    if (sent + received > 0) store.uplink.addBytes(sent, received, Math.floor(clock.wallMs() / DAY_MS));
  });
  const d = { ...deps, https, completeContent: new Set<string>() };
  const mark = createUploadMark(store, { origin, epoch });
  const witness = createWitness(d);
  const uploader = createUploader(d, mark);
  const closed = closedUploads(d);
  return {
    async checkIn(input, signal) {
      const result = await checkIn(d, mark, witness, input, signal);
      uploader.noteGoodAnswer();
      closed.noteGoodAnswer();
      return result;
    },
    askForTime: (other, input, signal) => askForTime({ ...d, https: other }, input, signal),
    uploadOnce: (signal, runId) => uploader.uploadOnce(signal, runId),
    uploadClosedOnce: (signal, runId) => closed.once(signal, runId),
    uploadSetAside: (log, damaged, signal, runId) => uploadSetAside(d, log, damaged, signal, runId),
    syncTrust: (answer, evidence, signal, runId) => syncTrust(d, answer, evidence, signal, runId),
    lookAtContentAgain: () => d.completeContent.clear(),
    catchUpRoots: (evidence, signal, runId) => catchUpRoots(d, evidence, signal, runId),
    queue() {
      const log = store.entries.state(epoch);
      const pointer = store.uplink.pointer(origin);
      const entries = log.size - pointer;
      const uploaded = mark.current();
      // Until the mark has caught up with a pointer that moved back, the share of all bytes is near enough.
      const bytes =
        uploaded.size === pointer ? log.bytes - uploaded.bytes : Math.round((log.bytes * entries) / (log.size || 1));
      const [oldest] = entries === 0 ? [] : store.entries.list(epoch, { fromSeq: pointer, limit: 1 });
      return { entries, bytes, oldest_at: oldest?.observedTo ?? null };
    },
    storedSize: () => store.uplink.pointer(origin),
    cosigned: () => witness.latest(),
    conflict: () => witness.conflict(),
  };
}
