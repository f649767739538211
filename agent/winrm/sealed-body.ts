// Bodies of sealed messages, multipart/encrypted as MS-WSMV 2.2.9.1 defines it. Pure.
import { AgentError } from '../errors/agent-error.ts';
import type { SealedMessage } from './security-context.ts';

export type SealScheme = 'Negotiate' | 'Kerberos';

const PROTOCOLS: Readonly<Record<SealScheme, string>> = {
  Negotiate: 'application/HTTP-SPNEGO-session-encrypted',
  Kerberos: 'application/HTTP-Kerberos-session-encrypted',
};
const BOUNDARY = '--Encrypted Boundary';
const TAIL = `${BOUNDARY}--`;
/** Both parts' heads end before it; Windows writes a tab before the header names. */
const MAX_HEAD_BYTES = 512;
const HEAD =
  /^--Encrypted Boundary\r\n[\t ]*Content-Type: ?([^\r\n]+)\r\n[\t ]*OriginalContent: ?type=application\/soap\+xml;charset=UTF-8;Length=(\d{1,9})\r\n--Encrypted Boundary\r\n[\t ]*Content-Type: ?application\/octet-stream\r\n/i;

export function sealedContentType(scheme: SealScheme): string {
  return `multipart/encrypted;protocol="${PROTOCOLS[scheme]}";boundary="Encrypted Boundary"`;
}

export function isSealedContentType(contentType: string): boolean {
  return /^\s*multipart\/encrypted\b/i.test(contentType);
}

/** `plainBytes`: length of what was sealed. */
export function writeSealed(scheme: SealScheme, plainBytes: number, { signature, sealed }: SealedMessage): Buffer {
  const head = [
    BOUNDARY,
    `Content-Type: ${PROTOCOLS[scheme]}`,
    `OriginalContent: type=application/soap+xml;charset=UTF-8;Length=${plainBytes}`,
    BOUNDARY,
    'Content-Type: application/octet-stream',
    '',
  ].join('\r\n');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(signature.length);
  return Buffer.concat([Buffer.from(head, 'latin1'), length, signature, sealed, Buffer.from(`${TAIL}\r\n`, 'latin1')]);
}

export interface SealedBody extends SealedMessage {
  /** What the sender says the length of the plain text is. */
  readonly plainBytes: number;
}

/** Throws `winrm_seal_broken`. */
export function readSealed(scheme: SealScheme, body: Buffer): SealedBody {
  const head = HEAD.exec(body.subarray(0, MAX_HEAD_BYTES).toString('latin1'));
  if (head === null) throw broken('a sealed answer without its head');
  if (head[1]!.trim().toLowerCase() !== PROTOCOLS[scheme].toLowerCase()) {
    throw broken('an answer is sealed with another protocol than the request');
  }
  let end = body.length;
  while (end > 0 && (body[end - 1] === 0x0a || body[end - 1] === 0x0d)) end -= 1;
  const start = head[0].length;
  const payloadEnd = end - TAIL.length;
  if (payloadEnd < start + 4 || body.toString('latin1', payloadEnd, end) !== TAIL) {
    throw broken('a sealed answer without its end');
  }
  const signatureBytes = body.readUInt32LE(start);
  const dataStart = start + 4 + signatureBytes;
  if (dataStart > payloadEnd) throw broken('a sealed answer with a signature longer than itself');
  return {
    plainBytes: Number(head[2]),
    signature: body.subarray(start + 4, dataStart),
    sealed: body.subarray(dataStart, payloadEnd),
  };
}

function broken(sentence: string): AgentError {
  return new AgentError('winrm_seal_broken', sentence);
}
