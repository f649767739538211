// Keys and proofs of NTLMv2 (MS-NLMP 3.3.2, 3.4.5). Pure; nothing of NTLM version 1 is here.
import { createHash, createHmac } from 'node:crypto';
import { md4 } from './md4.ts';

const CLIENT_SIGN = 'session key to client-to-server signing key magic constant\0';
const CLIENT_SEAL = 'session key to client-to-server sealing key magic constant\0';
const SERVER_SIGN = 'session key to server-to-client signing key magic constant\0';
const SERVER_SEAL = 'session key to server-to-client sealing key magic constant\0';

export function hmacMd5(key: Buffer, ...parts: readonly Buffer[]): Buffer {
  const mac = createHmac('md5', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** Upper case letter by letter, as Windows does it: nothing that would change the length (ß stays ß). */
function upperCase(text: string): string {
  return Array.from(text, (letter) => {
    const upper = letter.toUpperCase();
    return upper.length === letter.length ? upper : letter;
  }).join('');
}

/** NTOWFv2: the user's key. The user name is upper-cased, the domain is not. */
export function ntowfV2(password: string, user: string, domain: string): Buffer {
  const secret = Buffer.from(password, 'utf16le');
  const hash = md4(secret);
  secret.fill(0);
  const key = hmacMd5(hash, Buffer.from(upperCase(user) + domain, 'utf16le'));
  hash.fill(0);
  return key;
}

/** `temp` of MS-NLMP 3.3.2: what the proof is over besides the server's challenge. */
export function proofInput(timestamp: Buffer, clientChallenge: Buffer, targetInfo: Buffer): Buffer {
  const head = Buffer.from([1, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, timestamp, clientChallenge, Buffer.alloc(4), targetInfo, Buffer.alloc(4)]);
}

export function ntProof(userKey: Buffer, serverChallenge: Buffer, temp: Buffer): Buffer {
  return hmacMd5(userKey, serverChallenge, temp);
}

export interface DirectionKeys {
  readonly sign: Buffer;
  readonly seal: Buffer;
}

/** Keys of both directions, for extended session security with 128 bits. */
export function sessionKeys(exported: Buffer): { readonly client: DirectionKeys; readonly server: DirectionKeys } {
  const derive = (constant: string): Buffer =>
    createHash('md5').update(exported).update(Buffer.from(constant, 'latin1')).digest();
  return {
    client: { sign: derive(CLIENT_SIGN), seal: derive(CLIENT_SEAL) },
    server: { sign: derive(SERVER_SIGN), seal: derive(SERVER_SEAL) },
  };
}
