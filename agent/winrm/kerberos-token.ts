// The layout of sealed messages with Kerberos: WinRM sends the token of gss_wrap (RFC 4121 4.2.6.2) in two parts, the
// signature first, with the ciphertext rotated so that what follows it has the length of the plain text. Pure.
import { AgentError } from '../errors/agent-error.ts';
import type { SealedMessage } from './security-context.ts';

const HEADER_BYTES = 16;
/** TOK_ID of a wrap token. */
const TOK_ID = 0x0504;
const SEALED_FLAG = 0x02;
const FLAGS_AT = 2;
const RRC_AT = 6;
/** The confounder of all AES encryption types: one block. */
const CONFOUNDER_BYTES = 16;

/**
 * Splits what gss_wrap gave for `plainBytes`. The end of the token (filler, copy of the header, checksum) moves behind the header, and
 * the header says by how much (RRC, "right rotation count").
 *
 * @throws winrm_seal_broken where the token is not one of RFC 4121 with the data encrypted
 */
export function splitWrapToken(token: Buffer, plainBytes: number): SealedMessage {
  const signatureBytes = token.length - plainBytes;
  const trailerBytes = signatureBytes - HEADER_BYTES - CONFOUNDER_BYTES;
  checkHeader(token);
  if (trailerBytes < HEADER_BYTES || token.readUInt16BE(RRC_AT) !== 0) throw broken();
  const header = Buffer.from(token.subarray(0, HEADER_BYTES));
  header.writeUInt16BE(trailerBytes, RRC_AT);
  const end = token.length - trailerBytes;
  const rotated = Buffer.concat([header, token.subarray(end), token.subarray(HEADER_BYTES, end)]);
  return { signature: rotated.subarray(0, signatureBytes), sealed: rotated.subarray(signatureBytes) };
}

/**
 * The token that gss_unwrap takes: both parts in a row; the library undoes the rotation itself.
 *
 * @throws winrm_seal_broken as above; a token that is only signed is refused too
 */
export function joinWrapToken(signature: Buffer, sealed: Buffer): Buffer {
  const token = Buffer.concat([signature, sealed]);
  checkHeader(token);
  return token;
}

function checkHeader(token: Buffer): void {
  if (
    token.length < HEADER_BYTES + CONFOUNDER_BYTES + HEADER_BYTES ||
    token.readUInt16BE(0) !== TOK_ID ||
    (token[FLAGS_AT]! & SEALED_FLAG) === 0
  ) {
    throw broken();
  }
}

function broken(): AgentError {
  return new AgentError('winrm_seal_broken', 'a message is not sealed as Kerberos with AES seals it');
}
