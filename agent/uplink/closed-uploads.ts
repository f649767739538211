// The logs of epochs that have ended are uploaded to their end: from this store, entry by entry as the current one is.
import type { UplinkDeps } from './uplink-deps.ts';
import { createUploader, type Uploader } from './upload.ts';
import { createUploadMark } from './upload-mark.ts';

export interface ClosedUploads {
  /** One batch at most. @returns entries that a receipt covers and did not before; what uploadOnce throws is thrown */
  once(signal: AbortSignal, runId?: string): Promise<number>;
  noteGoodAnswer(): void;
}

/** The refusal after which there is nothing more to upload: Central Command holds another history, and keeps both. */
const OTHER_HISTORY = 'evidence_conflict';

export function closedUploads(d: UplinkDeps): ClosedUploads {
  const { store, identity } = d;
  const uploaders = new Map<number, Uploader>();
  const endedKey = (origin: string): string => `upload_ended:${origin}`;

  const uploaderOf = (epoch: number, origin: string): Uploader => {
    const known = uploaders.get(epoch);
    if (known !== undefined) return known;
    const made = createUploader(
      { ...d, identity: { ...identity, epoch, origin } },
      createUploadMark(store, { origin, epoch }),
    );
    uploaders.set(epoch, made);
    return made;
  };

  return {
    async once(signal, runId) {
      for (const epoch of store.entries.epochs().filter((one) => one < identity.epoch)) {
        const origin = identity.origin.replace(/[0-9]+$/, String(epoch));
        const waiting = store.uplink.pointer(origin) < store.entries.state(epoch).size;
        if (!waiting || store.settings.get(endedKey(origin)) !== null) continue;
        const { uploaded, parked } = await uploaderOf(epoch, origin).uploadOnce(signal, runId);
        if (parked?.code === OTHER_HISTORY) {
          store.settings.set(endedKey(origin), parked.code);
          d.log.warn('central command holds another history of an ended epoch', { origin });
        } else if (parked === null) return uploaded;
      }
      return 0;
    },
    noteGoodAnswer() {
      for (const uploader of uploaders.values()) uploader.noteGoodAnswer();
    },
  };
}
