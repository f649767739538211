// Whether a LUKS2 header is that of an install of ours (LUKS2 On-Disk Format Specification 1.1.1, section 2.1). Read from the bytes
// themselves: what a finished install is must not hang on a cache, nor on a tool that finds two signatures and names none. Pure.
import { FINISHED_LABEL, SUBSYSTEM, UNFINISHED_LABEL } from './layout.ts';

/** A LUKS volume that an installer of this product made. */
export interface FoundInstall {
  readonly isFinished: boolean;
  /** Of the image and file that made it; null where the header does not say. */
  readonly installId: string | null;
}

/** The first header lies at the start of the volume, the second where the metadata of the first end: 16 KiB as cryptsetup makes them. */
export const HEADER_OFFSETS: readonly number[] = [0, 16_384];
/** The binary header, before its JSON. */
export const HEADER_BYTES = 512;

const MAGIC: readonly string[] = ['4c554b53babe', '534b554cbabe'];
const LUKS2 = 2;
const LABEL_AT = 24;
const SUBSYSTEM_AT = 208;
const FIELD_BYTES = 48;

/** @param bytes {@link HEADER_BYTES} from one of the places where a header may lie. Null for everything that is not ours. */
export function foundInstall(bytes: Buffer): FoundInstall | null {
  if (bytes.length < HEADER_BYTES || !MAGIC.includes(bytes.toString('hex', 0, 6)) || bytes.readUInt16BE(6) !== LUKS2) {
    return null;
  }
  const field = (at: number): string => {
    const text = bytes.toString('latin1', at, at + FIELD_BYTES);
    return text.includes('\0') ? text.slice(0, text.indexOf('\0')) : text;
  };
  const label = field(LABEL_AT);
  if (label !== FINISHED_LABEL && label !== UNFINISHED_LABEL) return null;
  const [name, installId] = field(SUBSYSTEM_AT).split(':');
  return { isFinished: label === FINISHED_LABEL, installId: name === SUBSYSTEM ? (installId ?? null) : null };
}
