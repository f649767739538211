// Where the evidence of one log comes from: the store of the appliance, or the files of Central Command.
import type { StampedFile } from '../wire/timestamp.ts';

export interface LogRow {
  readonly seq: number;
  /** Without its LF; null where only the leaf hash is left (pruned). */
  readonly line: string | null;
  /** Leaf hash, where there is no line. */
  readonly leaf: Buffer | null;
}

export interface LogSource {
  readonly origin: string;
  readonly applianceId: string;
  readonly epoch: number;
  /** Entries at the start of the export; what comes later is not looked at. */
  readonly size: number;
  /** All entries in order, page by page. May be called again. */
  pages(): AsyncIterable<readonly LogRow[]>;
  /** Signed receipts with the size that each names. */
  readonly receipts: readonly { readonly size: number; readonly line: string }[];
  /** Checkpoint notes, likewise. */
  readonly checkpoints: readonly { readonly size: number; readonly note: string }[];
  /** RFC 3161 tokens over checkpoints, likewise. */
  readonly timestamps: readonly StampedFile[];
}
