// What the vectors of one document format are made from.
import type { ErrorCode } from '../../agent/errors/codes.ts';
import type { DocumentName } from '../../agent/wire/schemas/payload-types.ts';

/** What is changed, the text that is replaced in the payload of the first valid document, by what, and what must come of it. */
export type Change = readonly [name: string, from: string, to: string, expect: ErrorCode];

export interface Sample {
  readonly document: DocumentName;
  /** Name of the key that signs the vectors (signing.ts). */
  readonly signer: string;
  /** Valid documents by what they show. The first one is what `changes` are made to. */
  readonly valid: Readonly<Record<string, object>>;
  readonly changes: readonly Change[];
}
