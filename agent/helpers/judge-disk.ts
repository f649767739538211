// By which keys the encrypted volume of an appliance opens, read from the header's metadata (LUKS2 On-Disk Format Specification,
// section 3), and what is the next step away from the installer's key. Pure.
import * as v from 'valibot';

/** The installer's key, which lies beside the volume until the TPM opens it. */
export const INSTALLER_SLOT = '0';
/** The owner's recovery key: nobody touches it. */
export const RECOVERY_SLOT = '1';
const TPM_TOKEN = 'systemd-tpm2';

const metadataSchema = v.looseObject({
  keyslots: v.record(v.string(), v.looseObject({})),
  tokens: v.record(v.string(), v.looseObject({ type: v.string(), keyslots: v.array(v.string()) })),
});

export interface DiskKeys {
  readonly slots: readonly string[];
  /** Slots that a token of the TPM names. */
  readonly tpm: readonly string[];
}

/** What `cryptsetup luksDump --dump-json-metadata` prints; null where it is something else. */
export function readDiskKeys(text: string): DiskKeys | null {
  try {
    const { keyslots, tokens } = v.parse(metadataSchema, JSON.parse(text));
    const slots = Object.keys(keyslots);
    const named = Object.values(tokens)
      .filter(({ type }) => type === TPM_TOKEN)
      .flatMap((token) => token.keyslots);
    // No volume is without any.
    return slots.length === 0 ? null : { slots, tpm: slots.filter((slot) => named.includes(slot)) };
  } catch {
    return null;
  }
}

export type DiskStep =
  /** A slot that was begun and that nothing names: of a run that was cut off. */
  | { readonly step: 'drop_slot'; readonly slot: string }
  | { readonly step: 'enrol_tpm' }
  /** Only once that the TPM opens it has been proven, the installer's key goes. */
  | { readonly step: 'prove_and_retire' }
  | { readonly step: 'remove_file' }
  | { readonly step: 'none'; readonly opensWith: 'tpm2' | 'recovery_key' };

/**
 * One step at a time, each of which may be cut off: the next run reads anew and goes on.
 *
 * @param isFileThere whether the installer's key still lies beside the volume
 */
export function nextDiskStep({ slots, tpm }: DiskKeys, isFileThere: boolean): DiskStep {
  const isOurs = slots.includes(INSTALLER_SLOT);
  if (!isOurs) {
    if (isFileThere) return { step: 'remove_file' };
    return { step: 'none', opensWith: tpm.length > 0 ? 'tpm2' : 'recovery_key' };
  }
  const stray = slots.find((slot) => slot !== INSTALLER_SLOT && slot !== RECOVERY_SLOT && !tpm.includes(slot));
  if (stray !== undefined) return { step: 'drop_slot', slot: stray };
  if (tpm.length > 0) return { step: 'prove_and_retire' };
  // Without the file nobody knows the key of that slot, and no slot can be added.
  return isFileThere ? { step: 'enrol_tpm' } : { step: 'none', opensWith: 'recovery_key' };
}
