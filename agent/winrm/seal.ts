// Sealing and signing of NTLM messages with extended session security and key exchange (MS-NLMP 3.4.3, 3.4.4.2). One
// object per direction: cipher state and sequence number go on from message to message.
import { timingSafeEqual } from 'node:crypto';
import { AgentError } from '../errors/agent-error.ts';
import { hmacMd5, type DirectionKeys } from './ntlm-keys.ts';
import { Rc4 } from './rc4.ts';
import type { SealedMessage } from './security-context.ts';

export const SIGNATURE_BYTES = 16;
const VERSION = 1;

export class NtlmDirection {
  readonly #keys: DirectionKeys;
  #cipher: Rc4;
  #sequence = 0;

  constructor(keys: DirectionKeys) {
    this.#keys = keys;
    this.#cipher = new Rc4(keys.seal);
  }

  seal(plain: Buffer): SealedMessage {
    const sealed = this.#cipher.apply(plain);
    return { sealed, signature: this.#sign(plain) };
  }

  /** Throws `winrm_seal_broken`. */
  unseal(signature: Buffer, sealed: Buffer): Buffer {
    const plain = this.#cipher.apply(sealed);
    this.#check(plain, signature);
    return plain;
  }

  /** A signature over what is sent in clear. */
  sign(message: Buffer): Buffer {
    return this.#sign(message);
  }

  /** Throws `winrm_seal_broken`. */
  verify(message: Buffer, signature: Buffer): void {
    this.#check(message, signature);
  }

  /** Begins the key stream anew; the sequence number goes on. What SPNEGO does after its mechListMIC (MS-SPNG 3.3.5.1). */
  restartCipher(): void {
    this.#cipher.wipe();
    this.#cipher = new Rc4(this.#keys.seal);
  }

  wipe(): void {
    this.#cipher.wipe();
    this.#keys.seal.fill(0);
    this.#keys.sign.fill(0);
  }

  #check(plain: Buffer, signature: Buffer): void {
    const expected = this.#sign(plain);
    if (signature.length !== SIGNATURE_BYTES || !timingSafeEqual(signature, expected)) {
      throw new AgentError('winrm_seal_broken', 'the signature of a sealed answer is not right');
    }
  }

  #sign(message: Buffer): Buffer {
    const signature = Buffer.alloc(SIGNATURE_BYTES);
    signature.writeUInt32LE(VERSION, 0);
    signature.writeUInt32LE(this.#sequence, 12);
    const digest = hmacMd5(this.#keys.sign, signature.subarray(12), message);
    this.#cipher.apply(digest.subarray(0, 8)).copy(signature, 4);
    this.#sequence += 1;
    return signature;
  }
}
