// Keys, encrypted at rest: age files under a passphrase (scrypt and ChaCha20-Poly1305, https://age-encryption.org/v1),
// so that `age --decrypt` opens them where this program is not at hand.
import { armor, Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { AgentError } from '../../agent/errors/agent-error.ts';

/** scrypt with N = 2^17: about half a second and 128 MiB on a small machine. */
const WORK_FACTOR = 17;
export const MIN_PASSPHRASE_CHARS = 12;

/** @throws passphrase_weak */
export async function sealKey(pem: string, passphrase: string): Promise<string> {
  if (passphrase.length < MIN_PASSPHRASE_CHARS) {
    throw new AgentError('passphrase_weak', `a passphrase has at least ${MIN_PASSPHRASE_CHARS} characters`);
  }
  const encrypter = new Encrypter();
  encrypter.setScryptWorkFactor(WORK_FACTOR);
  encrypter.setPassphrase(passphrase);
  return armor.encode(await encrypter.encrypt(pem));
}

/** An identity of age (X25519): it opens many files, where a passphrase costs its half second for each. */
export const newIdentity = (): Promise<string> => generateX25519Identity();

export async function sealForIdentity(pem: string, identity: string): Promise<string> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(await identityToRecipient(identity));
  return armor.encode(await encrypter.encrypt(pem));
}

/** @throws key_malformed (no file for this identity, or one that was changed) */
export async function openWithIdentity(text: string, identity: string, place: string): Promise<string> {
  try {
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    return await decrypter.decrypt(armor.decode(text), 'text');
  } catch (cause) {
    throw new AgentError('key_malformed', 'the sealed key does not open with the identity beside it', { place, cause });
  }
}

/** @throws passphrase_wrong (or the file was changed: the two cannot be told apart), key_malformed */
export async function openSealedKey(text: string, passphrase: string, place: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = armor.decode(text);
  } catch (cause) {
    throw new AgentError('key_malformed', 'the file is no armored age file', { place, cause });
  }
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  try {
    return await decrypter.decrypt(bytes, 'text');
  } catch (cause) {
    throw new AgentError('passphrase_wrong', 'the passphrase does not open the key', { place, cause });
  }
}
