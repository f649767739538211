// RC4, which OpenSSL 3 leaves out by default. NTLM seals with it (MS-NLMP 3.4); it is no cipher to choose freely.

/** A key stream that goes on where the last call ended. */
export class Rc4 {
  readonly #box: Uint8Array;
  #i = 0;
  #j = 0;

  constructor(key: Buffer) {
    const box = Uint8Array.from({ length: 256 }, (_, index) => index);
    for (let i = 0, j = 0; i < 256; i += 1) {
      const held = box[i]!;
      j = (j + held + key[i % key.length]!) & 0xff;
      box[i] = box[j]!;
      box[j] = held;
    }
    this.#box = box;
  }

  /** Encrypts or decrypts: both are the same. */
  apply(data: Buffer): Buffer {
    const box = this.#box;
    const out = Buffer.allocUnsafe(data.length);
    let i = this.#i;
    let j = this.#j;
    for (let at = 0; at < data.length; at += 1) {
      i = (i + 1) & 0xff;
      const a = box[i]!;
      j = (j + a) & 0xff;
      const b = box[j]!;
      box[i] = b;
      box[j] = a;
      out[at] = data[at]! ^ box[(a + b) & 0xff]!;
    }
    this.#i = i;
    this.#j = j;
    return out;
  }

  /** Forgets the key. */
  wipe(): void {
    this.#box.fill(0);
  }
}
