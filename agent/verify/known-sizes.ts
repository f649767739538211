// Sizes of a log at which somebody has signed its root: the store in receipts, the log itself and its witness in checkpoints.
import { AgentError } from '../errors/agent-error.ts';
import { openCosigned } from '../trust/cosigned-checkpoint.ts';
import type { Opened } from '../trust/open-document.ts';
import type { Root } from '../wire/schemas/root.ts';

export interface KnownSize {
  readonly origin: string;
  readonly size: number;
  /** Hex root over that many entries. */
  readonly root: string;
  /** Who says so, for the sentence. */
  readonly source: string;
  /** When a witness cosigned it, Unix seconds; null where none did. */
  readonly witnessedAt: number | null;
}

export interface KnownSizes {
  add(known: KnownSize): void;
  at(size: number): readonly KnownSize[];
  /** One that speaks of another log than `origin`, if any. */
  ofOtherLog(origin: string): KnownSize | undefined;
  /** The largest one beyond `size`, if any. */
  beyond(size: number): KnownSize | undefined;
}

export function knownSizes(): KnownSizes {
  const bySize = new Map<number, KnownSize[]>();
  let largest: KnownSize | undefined;
  return {
    add: (known) => {
      bySize.set(known.size, [...(bySize.get(known.size) ?? []), known]);
      if (largest === undefined || known.size > largest.size) largest = known;
    },
    at: (size) => bySize.get(size) ?? [],
    ofOtherLog: (origin) => [...bySize.values()].flat().find((known) => known.origin !== origin),
    beyond: (size) => (largest !== undefined && largest.size > size ? largest : undefined),
  };
}

export const sizeInReceipt = ({ value }: Opened<'receipt'>): KnownSize => ({
  origin: value.origin,
  size: value.size,
  root: value.root,
  source: `the receipt ${value.object_id}`,
  witnessedAt: null,
});

/**
 * What a checkpoint note says about the log with this origin and key. A checkpoint without a cosignature is still the log's
 * own word.
 *
 * @throws checkpoint_mismatch (of another log) | note_invalid | signature_invalid | cosignature_invalid
 */
export function sizeInCheckpoint(
  root: Root,
  note: string,
  log: { readonly origin: string; readonly spki: string },
): KnownSize {
  const [origin = ''] = note.split('\n', 1);
  if (origin !== log.origin) {
    throw new AgentError('checkpoint_mismatch', `a checkpoint is of the log ${origin}, not of ${log.origin}`);
  }
  const { checkpoint, witnessedAt } = openCosigned(root, note, log, 'checkpoint');
  const { size } = checkpoint;
  const source = `the ${witnessedAt === null ? '' : 'cosigned '}checkpoint of ${size} entries`;
  return { origin, size, root: checkpoint.root.toString('hex'), source, witnessedAt };
}
