// `outputs` carries away what is recorded, for somebody else to keep.
//
// Each cosigned checkpoint as one line of the journal: a site's log collector keeps a copy that neither the appliance nor Central
// Command can take back (docs/evidence.md).
import type { CheckpointRow } from '../store/open-store.ts';
import type { Log } from '../system/ports.ts';
import { encodeAnchorLine } from '../wire/anchor-line.ts';

/** Takes cosigned checkpoints as they come. Must not throw: evidence does not wait for an output. */
export interface CheckpointOutput {
  cosigned(checkpoint: CheckpointRow): void;
}

/** Writes each one that is larger than the last: the same size again says nothing about another entry. */
export function checkpointLines(log: Pick<Log, 'info'>): CheckpointOutput {
  let last: { origin: string; size: number } | null = null;
  return {
    cosigned({ origin, size, root, note, at }) {
      if (last !== null && last.origin === origin && last.size >= size) return;
      last = { origin, size };
      // `anchor` is what `evidence verify --anchor` reads; the note lets anybody verify the line by itself.
      const anchor = encodeAnchorLine({ origin, size, root });
      log.info('checkpoint cosigned', { anchor, at, note: Buffer.from(note).toString('base64') });
    },
  };
}
