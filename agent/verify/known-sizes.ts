// Sizes of a log at which somebody has signed its root: the store in receipts, the log itself and its witness in checkpoints.
import { AgentError } from '../errors/agent-error.ts';
import { openCosigned } from '../trust/cosigned-checkpoint.ts';
import { openTimestamp } from '../trust/open-timestamp.ts';
import type { Opened } from '../trust/open-document.ts';
import type { AnchorLine } from '../wire/anchor-line.ts';
import type { Revocations, Root } from '../wire/schemas/root.ts';
import { stampedText, type StampedFile } from '../wire/timestamp.ts';
import type { Voucher } from './anchored-ranges.ts';

export interface KnownSize {
  readonly origin: string;
  readonly size: number;
  /** Hex root over that many entries. */
  readonly root: string;
  /** Who says so, for the sentence. */
  readonly source: string;
  /** When a witness cosigned it, Unix seconds; null where none did. */
  readonly witnessedAt: number | null;
  /** Who vouches for it besides the appliance and the store. */
  readonly voucher: Voucher | null;
  /** From outside of what is verified: it may end within entries that are left out, and says nothing then. */
  readonly isOutside?: true;
  /** Holds it against the root that came out. @throws timestamp_invalid, timestamp_refused */
  readonly check?: (root: Buffer) => void;
}

export interface KnownSizes {
  add(known: KnownSize): void;
  at(size: number): readonly KnownSize[];
  /** One that speaks of another log than `origin`, if any. */
  ofOtherLog(origin: string): KnownSize | undefined;
  /** The largest one beyond `size`, if any. */
  beyond(size: number): KnownSize | undefined;
  /** One strictly between two sizes, if any. */
  between(size: number, larger: number): KnownSize | undefined;
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
    between: (size, larger) =>
      [...bySize]
        .filter(([at]) => at > size && at < larger)
        .flatMap(([, all]) => all)
        .find((one) => one.isOutside !== true),
    beyond: (size) => (largest !== undefined && largest.size > size ? largest : undefined),
  };
}

export const sizeInReceipt = ({ value }: Opened<'receipt'>): KnownSize => ({
  origin: value.origin,
  size: value.size,
  root: value.root,
  source: `the receipt ${value.object_id}`,
  witnessedAt: null,
  voucher: null,
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
  const voucher = witnessedAt === null ? null : 'witness';
  return { origin, size, root: checkpoint.root.toString('hex'), source, witnessedAt, voucher };
}

/** What the partner says of a log that it revoked: how far it is trusted, and the root there. */
export const sizeInRevocation = (revoked: Revocations['origins'][number]): KnownSize => ({
  origin: revoked.origin,
  size: revoked.trust_until_size,
  root: revoked.root,
  source: 'the list of revocations',
  witnessedAt: null,
  voucher: null,
});

export const sizeInAnchor = ({ origin, size, root }: AnchorLine): KnownSize => ({
  origin,
  size,
  root,
  source: `the anchor of ${size} entries`,
  witnessedAt: null,
  voucher: 'anchor',
  isOutside: true,
});

/** The root that the stamped text names; one that no log has, where it is of another log or size. */
function rootIn(text: string, origin: string, size: number): string {
  const [name, count, top = ''] = text.split('\n');
  const root = name === origin && count === String(size) ? Buffer.from(top, 'base64') : null;
  return root !== null && text === stampedText(origin, size, root) ? root.toString('hex') : 'none';
}

/**
 * A timestamp holds or not once the root is there.
 *
 * @param authorities PEM certificates that the caller trusts; null: it vouches for nothing, and has to fit all the same
 */
export const sizeInTimestamp = (
  origin: string,
  { size, response, text }: StampedFile,
  authorities: readonly string[] | null,
): KnownSize => ({
  origin,
  size,
  root: rootIn(text, origin, size),
  source: `the timestamp of ${size} entries`,
  witnessedAt: null,
  voucher: authorities === null ? null : 'timestamp',
  check: (root) => void openTimestamp(response, { data: stampedText(origin, size, root), authorities }),
});
