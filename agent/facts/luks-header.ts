// Reads the header of a LUKS volume from its bytes: LUKS1 (on-disk format specification 1.2.3) and LUKS2 (1.1.4). Pure.
import { createHash } from 'node:crypto';

export interface LuksHeader {
  readonly version: 1 | 2;
  /** As cryptsetup names it: `aes-xts-plain64`. */
  readonly cipher: string;
  /** Of the volume key. */
  readonly keyBits: number;
  readonly keySlots: number;
  /** A slot is bound to this machine's TPM 2. */
  readonly tpm2: boolean;
  /** Slots that open the volume when the everyday one does not. */
  readonly recoverySlots: number;
}

/** `damaged`: it is a LUKS header, and its checksum or its fields say that it is not whole. */
export type HeaderReading = LuksHeader | 'damaged' | 'none';

/** Size of the binary header of LUKS2, and of the LUKS1 header within its sector. */
export const FIRST_READ_BYTES = 4_096;
/** The specification allows these sizes of header and JSON area. */
const LUKS2_SIZES = new Set([16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096].map((kib) => kib * 1_024));

const MAGIC = Buffer.from('LUKS\xba\xbe', 'latin1');
const LUKS1 = { cipherName: 8, cipherMode: 40, keyBytes: 108, slots: 208, slotBytes: 48, slotCount: 8 } as const;
const LUKS1_SLOT_ACTIVE = 0x00ac71f3;
const LUKS1_SLOT_FREE = 0x0000dead;
const LUKS2 = { headerSize: 8, checksumName: 72, checksum: 448, checksumBytes: 64, json: 4_096 } as const;

/** Tokens whose slots need this machine or a device that somebody carries. */
const HARDWARE_TOKENS = new Set(['systemd-tpm2', 'systemd-fido2', 'systemd-pkcs11', 'clevis']);
const RECOVERY_TOKEN = 'systemd-recovery';

function textAt(bytes: Buffer, offset: number, length: number): string {
  const field = bytes.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? length : end).toString('latin1');
}

/** How many bytes a header needs to be read whole; null where these are not the first bytes of one. */
export function headerBytes(first: Buffer): number | null {
  if (first.length < FIRST_READ_BYTES || !first.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  if (first.readUInt16BE(MAGIC.length) !== 2) return FIRST_READ_BYTES;
  const size = Number(first.readBigUInt64BE(LUKS2.headerSize));
  return LUKS2_SIZES.has(size) ? size : FIRST_READ_BYTES;
}

/**
 * Without a slot of its own (`systemd-recovery`), a passphrase counts as recovery where another slot is the everyday one:
 * one that needs hardware, or a further passphrase.
 */
function recoverySlots(slots: readonly string[], hardware: ReadonlySet<string>, recovery: ReadonlySet<string>): number {
  const named = slots.filter((slot) => recovery.has(slot)).length;
  const free = slots.filter((slot) => !hardware.has(slot) && !recovery.has(slot)).length;
  const hasHardware = slots.some((slot) => hardware.has(slot));
  // One of the free ones opens the volume every day, unless hardware does.
  return named + (hasHardware ? free : Math.max(0, free - 1));
}

function parseLuks1(bytes: Buffer): HeaderReading {
  const states = Array.from({ length: LUKS1.slotCount }, (_, i) =>
    bytes.readUInt32BE(LUKS1.slots + i * LUKS1.slotBytes),
  );
  if (!states.every((state) => state === LUKS1_SLOT_ACTIVE || state === LUKS1_SLOT_FREE)) return 'damaged';
  const slots = states.flatMap((state, i) => (state === LUKS1_SLOT_ACTIVE ? [String(i)] : []));
  return {
    version: 1,
    cipher: `${textAt(bytes, LUKS1.cipherName, 32)}-${textAt(bytes, LUKS1.cipherMode, 32)}`,
    keyBits: bytes.readUInt32BE(LUKS1.keyBytes) * 8,
    keySlots: slots.length,
    tpm2: false,
    recoverySlots: recoverySlots(slots, new Set(), new Set()),
  };
}

/** Over the whole header with the checksum itself taken as zeros. */
function isChecksumRight(bytes: Buffer): boolean {
  const name = textAt(bytes, LUKS2.checksumName, 32);
  if (!/^sha(?:1|224|256|384|512)$/.test(name)) return false;
  const zeroed = Buffer.from(bytes);
  zeroed.fill(0, LUKS2.checksum, LUKS2.checksum + LUKS2.checksumBytes);
  const digest = createHash(name).update(zeroed).digest();
  return bytes.subarray(LUKS2.checksum, LUKS2.checksum + digest.length).equals(digest);
}

type Json = Record<string, unknown>;
const asObject = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
const objectsOf = (value: unknown): [string, Json][] =>
  Object.entries(asObject(value)).map(([key, member]) => [key, asObject(member)]);
const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];

function parseLuks2(bytes: Buffer): HeaderReading {
  const size = headerBytes(bytes);
  if (size === null || size === FIRST_READ_BYTES || bytes.length < size) return 'damaged';
  if (!isChecksumRight(bytes.subarray(0, size))) return 'damaged';
  let metadata: Json;
  try {
    metadata = asObject(JSON.parse(textAt(bytes.subarray(0, size), LUKS2.json, size - LUKS2.json)));
  } catch {
    return 'damaged';
  }
  const slots = objectsOf(metadata.keyslots);
  const tokens = objectsOf(metadata.tokens).map(([, token]) => ({ type: token.type, slots: textsOf(token.keyslots) }));
  const slotsOf = (isWanted: (type: unknown) => boolean): Set<string> =>
    new Set(tokens.filter(({ type }) => isWanted(type)).flatMap((token) => token.slots));
  const segments = objectsOf(metadata.segments).filter(([, segment]) => segment.type === 'crypt');
  const ciphers = new Set(segments.map(([, segment]) => segment.encryption));
  const [cipher] = ciphers;
  // While a volume is being re-encrypted it has segments of both kinds: then one name would not be the truth.
  const isSettled = ciphers.size === 1 && segments.length === objectsOf(metadata.segments).length;
  const keyBytes = slots.map(([, slot]) => slot.key_size).filter((size) => typeof size === 'number');
  if (typeof cipher !== 'string' || slots.length === 0 || keyBytes.length !== slots.length) return 'damaged';
  const names = slots.map(([name]) => name);
  return {
    version: 2,
    cipher: isSettled ? cipher : 'in-transition',
    keyBits: Math.min(...keyBytes) * 8,
    keySlots: names.length,
    tpm2: names.some((name) => slotsOf((type) => type === 'systemd-tpm2').has(name)),
    recoverySlots: recoverySlots(
      names,
      slotsOf((type) => typeof type === 'string' && HARDWARE_TOKENS.has(type)),
      slotsOf((type) => type === RECOVERY_TOKEN),
    ),
  };
}

/** `bytes` begins where the volume begins and holds {@link headerBytes} bytes, or all there are. */
export function parseLuksHeader(bytes: Buffer): HeaderReading {
  if (headerBytes(bytes) === null) return 'none';
  const version = bytes.readUInt16BE(MAGIC.length);
  if (version === 1) return parseLuks1(bytes);
  return version === 2 ? parseLuks2(bytes) : 'damaged';
}
