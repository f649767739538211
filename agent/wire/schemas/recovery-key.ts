// The key that opens the disk of an appliance when its TPM does not, sealed to the owner, as the appliance hands it to Central Command.
import * as v from 'valibot';
import { isAgeFile, MAX_SEALED_BYTES } from '../age-file.ts';
import { base64, id } from './primitives.ts';

/** UUID of a LUKS volume, lower case, as `cryptsetup luksUUID` prints it. */
export const luksUuid = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'must be the UUID of a volume'),
);

export const recoveryKeySchema = v.strictObject({
  schema: v.literal('compliance-agent/recovery-key/v1'),
  appliance_id: id,
  site_id: id,
  /** What the installer wrote beside the file; null where that could not be read. The sealed text names the volume too. */
  luks_uuid: v.nullable(luksUuid),
  /** The file, byte for byte. */
  sealed: v.pipe(
    base64(Math.ceil(MAX_SEALED_BYTES / 3) * 4),
    v.check((text) => isAgeFile(Buffer.from(text, 'base64')), 'must be a file that age sealed to public keys'),
  ),
});
export type RecoveryKey = v.InferOutput<typeof recoveryKeySchema>;

/** What Central Command says once it is on its disk. */
export const recoveryKeyTakenSchema = v.strictObject({
  /** Of the file's bytes. */
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  /** `known`: it was stored before. */
  result: v.picklist(['stored', 'known']),
});
export type RecoveryKeyTaken = v.InferOutput<typeof recoveryKeyTakenSchema>;
