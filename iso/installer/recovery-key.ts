// The recovery key of a volume, in the form that systemd-cryptenroll gives its own, and what is sealed to the owner. Pure.

/** Letters that are on the same key of most keyboards: whoever types it at a boot prompt has a US layout. */
const MODHEX = 'cbdefghijklnrtuv';
/** 256 bits. */
export const RECOVERY_KEY_BYTES = 32;
const GROUP_LETTERS = 8;

/** Eight groups of eight letters, joined by hyphens; this text, without a line feed, is the passphrase. */
export function recoveryKeyText(random: Uint8Array): string {
  if (random.length !== RECOVERY_KEY_BYTES)
    throw new RangeError(`a recovery key is made of ${RECOVERY_KEY_BYTES} bytes`);
  const letters = Array.from(random, (byte) => `${MODHEX[byte >> 4]}${MODHEX[byte & 15]}`).join('');
  return (letters.match(new RegExp(`.{${GROUP_LETTERS}}`, 'g')) ?? []).join('-');
}

export interface RecoveryNote {
  readonly key: string;
  readonly luksUuid: string;
  readonly partnerId: string;
  readonly diskModel: string;
  readonly diskSerial: string;
  /** Unix seconds by the clock of the machine, which nobody had set yet. */
  readonly installedAt: number;
}

/** What the holder of a recipient's key reads after `age --decrypt`. */
export function recoveryNote(note: RecoveryNote): string {
  return [
    `recovery key: ${note.key}`,
    `volume: ${note.luksUuid}`,
    `partner: ${note.partnerId}`,
    `disk: ${printable(note.diskModel)} ${printable(note.diskSerial)}`,
    `made: ${new Date(note.installedAt * 1_000).toISOString()}`,
    'Type it, hyphens included, where the machine asks for the passphrase of the disk, or:',
    'cryptsetup open --key-file FILE_WITH_ONLY_THE_KEY DEVICE clinic-root',
    '',
  ].join('\n');
}

const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 80);
