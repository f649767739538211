// Recovery keys, really sealed to an owner of the test's. For tests only.
import { Decrypter, Encrypter, armor, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { signDocument } from '../../agent/wire/document.ts';
import { encodeEnvelope, type Signer } from '../../agent/wire/dsse.ts';
import type { RecoveryKey } from '../../agent/wire/schemas/recovery-key.ts';
import type { Enrolled } from './device.ts';

export const VOLUME = '0b9c6f1e-7a54-4f0e-9d2a-3c5b8e7f6a10';

export interface Owner {
  readonly recipient: string;
  /** As the installer seals it. */
  seal(text: string): Promise<string>;
  /** Not armoured. */
  sealBinary(text: string): Promise<Buffer>;
  open(file: string | Uint8Array): Promise<string>;
}

/** Somebody who keeps the secret key of a recipient. */
export async function makeOwner(): Promise<Owner> {
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  const sealBinary = async (text: string): Promise<Buffer> => {
    const encrypter = new Encrypter();
    encrypter.addRecipient(recipient);
    return Buffer.from(await encrypter.encrypt(text));
  };
  return {
    recipient,
    sealBinary,
    seal: async (text) => armor.encode(await sealBinary(text)),
    async open(file) {
      const decrypter = new Decrypter();
      decrypter.addIdentity(identity);
      const bytes = typeof file === 'string' ? armor.decode(file) : file;
      return await decrypter.decrypt(bytes, 'text');
    },
  };
}

/** Sealed with a passphrase, which can be guessed. */
export async function sealedWithPassphrase(text: string): Promise<Buffer> {
  const encrypter = new Encrypter();
  encrypter.setPassphrase('correct horse');
  encrypter.setScryptWorkFactor(10);
  return Buffer.from(await encrypter.encrypt(text));
}

export function recoveryKeyOf(
  me: Enrolled,
  sealed: string | Uint8Array,
  change: Partial<RecoveryKey> = {},
): RecoveryKey {
  return {
    schema: 'compliance-agent/recovery-key/v1',
    appliance_id: me.applianceId,
    site_id: me.siteId,
    luks_uuid: VOLUME,
    sealed: Buffer.from(sealed).toString('base64'),
    ...change,
  };
}

/** Its line, signed by the device, or by somebody else. */
export const recoveryKeyLine = (
  me: Enrolled,
  sealed: string | Uint8Array,
  change: Partial<RecoveryKey> = {},
  signer: Signer = me.device.signer,
): Buffer => Buffer.from(encodeEnvelope(signDocument('recoveryKey', recoveryKeyOf(me, sealed, change), [signer])));
