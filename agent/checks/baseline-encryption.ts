// What the baseline declares for `encryption`.
import * as v from 'valibot';
import { int } from '../wire/schemas/primitives.ts';
import { absolutePath } from './expected-none.ts';

export const encryptionBaseline = v.strictObject({
  expected: v.literal('declared'),
  /** Mount points that hold no data and have to be readable before a key is there, as /boot. */
  ignored_mounts: v.pipe(v.array(absolutePath), v.maxLength(64)),
  luks_versions: v.pipe(v.array(v.picklist([1, 2])), v.minLength(1)),
  ciphers: v.pipe(
    v.array(v.pipe(v.string(), v.regex(/^[a-z0-9:_-]{1,64}$/, 'must be a cipher as cryptsetup names it'))),
    v.minLength(1),
    v.maxLength(16),
  ),
  /** Of the volume key; XTS uses two halves, so aes-xts with AES-256 has 512. */
  key_bits: int(128, 4_096),
  /** Key slots that work when the everyday one does not. */
  recovery_slots: int(0, 31),
  key_slots_max: int(1, 32),
  tpm2_required: v.boolean(),
});
export type EncryptionBaseline = v.InferOutput<typeof encryptionBaseline>;
