// The server's side of NTLMv2 with sealing (MS-NLMP 3.2.5, 3.4.4.2), written apart from the client: only MD4 and RC4 are
// shared, and those are held against their RFCs. It accepts nothing weaker than what it was built for.
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { md4 } from '../../../agent/winrm/md4.ts';
import { Rc4 } from '../../../agent/winrm/rc4.ts';

export interface NtlmUser {
  readonly user: string;
  readonly domain: string;
  readonly password: string;
}

export interface AcceptorOptions {
  readonly users: readonly NtlmUser[];
  /** Application data of the channel binding of this connection, null without TLS. */
  readonly channelBinding: Buffer | null;
  readonly policy: 'none' | 'relaxed' | 'strict';
  /** Flags that the challenge leaves out, to be weaker than the client accepts. */
  readonly withholdFlags?: number;
  readonly withholdTargetInfo?: boolean;
}

/** UNICODE, TARGET, SIGN, SEAL, NTLM, ALWAYS_SIGN, DOMAIN, ESS, TARGET_INFO, VERSION, 128, KEY_EXCH, 56. */
const CHALLENGE_FLAGS = 0xe28a8235;
const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');
const mac = (key: Buffer, data: Buffer): Buffer => createHmac('md5', key).update(data).digest();
const md5 = (...parts: Buffer[]): Buffer => createHash('md5').update(Buffer.concat(parts)).digest();

export class NtlmAcceptor {
  readonly #options: AcceptorOptions;
  readonly #challenge = randomBytes(8);
  #type1: Buffer = Buffer.alloc(0);
  #type2: Buffer = Buffer.alloc(0);
  #incoming: Direction | null = null;
  #outgoing: Direction | null = null;
  /** The user once the logon is complete. */
  user: NtlmUser | null = null;
  /** Why the last logon was refused, for assertions. */
  refusal = '';

  constructor(options: AcceptorOptions) {
    this.#options = options;
  }

  /** The challenge for a NEGOTIATE message; null when it is none. */
  challenge(type1: Buffer): Buffer | null {
    if (type1.toString('latin1', 0, 8) !== 'NTLMSSP\0' || type1.readUInt32LE(8) !== 1) return null;
    this.#type1 = type1;
    this.#type2 = this.#writeChallenge();
    return this.#type2;
  }

  /** True when the AUTHENTICATE message proves the secret, its MIC and its channel binding. */
  authenticate(type3: Buffer): boolean {
    try {
      this.#verify(type3);
      return true;
    } catch (error) {
      this.refusal = (error as Error).message;
      return false;
    }
  }

  unseal(signature: Buffer, sealed: Buffer): Buffer {
    if (this.#incoming === null) throw new Error('no logon yet');
    const plain = this.#incoming.cipher.apply(sealed);
    if (!this.#incoming.sign(plain).equals(signature)) throw new Error('a signature of the client is not right');
    return plain;
  }

  seal(plain: Buffer): { signature: Buffer; sealed: Buffer } {
    if (this.#outgoing === null) throw new Error('no logon yet');
    const sealed = this.#outgoing.cipher.apply(plain);
    return { sealed, signature: this.#outgoing.sign(plain) };
  }

  #writeChallenge(): Buffer {
    const fileTime = Buffer.alloc(8);
    fileTime.writeBigUInt64LE(BigInt(Date.now()) * 10_000n + 116_444_736_000_000_000n);
    const info = this.#options.withholdTargetInfo
      ? Buffer.alloc(0)
      : pairs(
          [2, utf16('LAB')],
          [1, utf16('LABSERVER')],
          [4, utf16('lab.test')],
          [3, utf16('labserver.lab.test')],
          [7, fileTime],
        );
    const name = utf16('LAB');
    const head = Buffer.alloc(56);
    head.write('NTLMSSP\0', 'latin1');
    head.writeUInt32LE(2, 8);
    field(head, 12, name.length, 56);
    head.writeUInt32LE((CHALLENGE_FLAGS & ~(this.#options.withholdFlags ?? 0)) >>> 0, 20);
    this.#challenge.copy(head, 24);
    field(head, 40, info.length, 56 + name.length);
    Buffer.from([10, 0, 0x7c, 0x4f, 0, 0, 0, 15]).copy(head, 48);
    return Buffer.concat([head, name, info]);
  }

  #verify(type3: Buffer): void {
    const at = (offset: number): Buffer => {
      const start = type3.readUInt32LE(offset + 4);
      return type3.subarray(start, start + type3.readUInt16LE(offset));
    };
    const name = at(36).toString('utf16le');
    const domain = at(28).toString('utf16le');
    const response = at(20);
    const account = this.#options.users.find(
      (u) => u.user.toUpperCase() === name.toUpperCase() && u.domain.toUpperCase() === domain.toUpperCase(),
    );
    if (account === undefined) throw new Error('no such user');
    const key = mac(md4(utf16(account.password)), utf16(upperCase(name) + domain));
    const blob = response.subarray(16);
    const proof = mac(key, Buffer.concat([this.#challenge, blob]));
    if (!proof.equals(response.subarray(0, 16))) throw new Error('wrong password');
    if (at(12).some((byte) => byte !== 0)) throw new Error('an LM response');
    const exported = new Rc4(mac(key, proof)).apply(at(52));
    this.#verifyMic(type3, exported);
    this.#verifyPairs(readPairs(blob.subarray(28)));
    this.#incoming = new Direction(exported, 'client-to-server');
    this.#outgoing = new Direction(exported, 'server-to-client');
    this.user = account;
  }

  #verifyMic(type3: Buffer, exported: Buffer): void {
    const zeroed = Buffer.from(type3);
    zeroed.fill(0, 72, 88);
    const expected = mac(exported, Buffer.concat([this.#type1, this.#type2, zeroed]));
    if (!expected.equals(type3.subarray(72, 88))) throw new Error('wrong MIC');
  }

  #verifyPairs(sent: ReadonlyMap<number, Buffer>): void {
    if (((sent.get(6)?.readUInt32LE() ?? 0) & 2) === 0) throw new Error('no MIC announced');
    if (!sent.get(9)?.toString('utf16le').startsWith('HTTP/')) throw new Error('no target name');
    const { channelBinding, policy } = this.#options;
    if (channelBinding === null || policy === 'none') return;
    const length = Buffer.alloc(4);
    length.writeUInt32LE(channelBinding.length);
    const expected = md5(Buffer.alloc(16), length, channelBinding);
    const shown = sent.get(10) ?? Buffer.alloc(16);
    const absent = shown.every((byte) => byte === 0);
    if (!shown.equals(expected) && !(absent && policy === 'relaxed')) throw new Error('wrong channel binding');
  }
}

/** As Windows: letter by letter, so that ß has no upper case. */
function upperCase(name: string): string {
  return name.replace(/[^ß]/g, (letter) => letter.toUpperCase());
}

class Direction {
  readonly cipher: Rc4;
  readonly #key: Buffer;
  #count = 0;

  constructor(exported: Buffer, way: 'client-to-server' | 'server-to-client') {
    const derive = (use: string): Buffer =>
      md5(exported, Buffer.from(`session key to ${way} ${use} key magic constant\0`, 'latin1'));
    this.#key = derive('signing');
    this.cipher = new Rc4(derive('sealing'));
  }

  sign(plain: Buffer): Buffer {
    const number = Buffer.alloc(4);
    number.writeUInt32LE(this.#count);
    this.#count += 1;
    const sum = this.cipher.apply(mac(this.#key, Buffer.concat([number, plain])).subarray(0, 8));
    return Buffer.concat([Buffer.from([1, 0, 0, 0]), sum, number]);
  }
}

function field(head: Buffer, at: number, length: number, offset: number): void {
  head.writeUInt16LE(length, at);
  head.writeUInt16LE(length, at + 2);
  head.writeUInt32LE(offset, at + 4);
}

function pairs(...list: readonly (readonly [number, Buffer])[]): Buffer {
  const parts = list.map(([id, value]) => {
    const head = Buffer.alloc(4);
    head.writeUInt16LE(id, 0);
    head.writeUInt16LE(value.length, 2);
    return Buffer.concat([head, value]);
  });
  return Buffer.concat([...parts, Buffer.alloc(4)]);
}

function readPairs(data: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= data.length;) {
    const id = data.readUInt16LE(at);
    const end = at + 4 + data.readUInt16LE(at + 2);
    if (id === 0) break;
    found.set(id, data.subarray(at + 4, end));
    at = end;
  }
  return found;
}
