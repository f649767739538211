// The three messages of NTLM (MS-NLMP 2.2.1), pure: NEGOTIATE and AUTHENTICATE are written, CHALLENGE is read. Strings are
// always Unicode.
import { AgentError } from '../errors/agent-error.ts';
import { readAvPairs, type AvPair } from './av-pairs.ts';
import { ASKED, REQUIRED } from './ntlm-flags.ts';

const SIGNATURE = Buffer.from('NTLMSSP\0', 'latin1');
/** Windows 10.0, build 20348, NTLM revision 15: servers look at it for nothing but their logs (MS-NLMP 2.2.2.10). */
const VERSION = Buffer.from([10, 0, 0x7c, 0x4f, 0, 0, 0, 15]);
const NEGOTIATE_BYTES = 40;
const CHALLENGE_BYTES = 48;
const AUTHENTICATE_BYTES = 88;
/** Where the MIC stands in an AUTHENTICATE message. */
export const MIC_OFFSET = 72;
const MIC_BYTES = 16;
/** Real challenges have a few hundred bytes. */
const MAX_CHALLENGE_BYTES = 16_384;

/** The first message: 40 bytes, with VERSION, no names. */
export function writeNegotiate(): Buffer {
  const message = Buffer.alloc(NEGOTIATE_BYTES);
  SIGNATURE.copy(message);
  message.writeUInt32LE(1, 8);
  message.writeUInt32LE(ASKED, 12);
  message.writeUInt32LE(NEGOTIATE_BYTES, 20);
  message.writeUInt32LE(NEGOTIATE_BYTES, 28);
  VERSION.copy(message, 32);
  return message;
}

export interface Challenge {
  readonly flags: number;
  /** 8 bytes. */
  readonly serverChallenge: Buffer;
  readonly targetInfo: readonly AvPair[];
}

/** Throws `winrm_answer_invalid` for what is no CHALLENGE, `winrm_challenge_weak` for one that grants too little. */
export function readChallenge(message: Buffer): Challenge {
  if (message.length < CHALLENGE_BYTES || message.length > MAX_CHALLENGE_BYTES) {
    throw new AgentError('winrm_answer_invalid', `an NTLM challenge of ${message.length} bytes`);
  }
  if (!message.subarray(0, 8).equals(SIGNATURE) || message.readUInt32LE(8) !== 2) {
    throw new AgentError('winrm_answer_invalid', 'the token of the server is no NTLM challenge');
  }
  const flags = message.readUInt32LE(20);
  const missing = REQUIRED.filter(([flag]) => (flags & flag) === 0).map(([, words]) => words);
  if (missing.length > 0) {
    throw new AgentError('winrm_challenge_weak', `the NTLM challenge leaves out ${missing.join(', ')}`);
  }
  return { flags, serverChallenge: message.subarray(24, 32), targetInfo: readAvPairs(fieldAt(message, 40)) };
}

export interface Authenticate {
  readonly flags: number;
  readonly user: string;
  readonly domain: string;
  readonly ntResponse: Buffer;
  readonly encryptedSessionKey: Buffer;
}

/**
 * The last message, with 16 zero bytes where the MIC goes. The LM response is 24 zero bytes, as MS-NLMP 3.1.5.1.2 wants it
 * where the server sent a timestamp; no workstation is named.
 */
export function writeAuthenticate(m: Authenticate): Buffer {
  const head = Buffer.alloc(AUTHENTICATE_BYTES);
  SIGNATURE.copy(head);
  head.writeUInt32LE(3, 8);
  const payload: Buffer[] = [];
  let at = AUTHENTICATE_BYTES;
  const put = (field: number, value: Buffer): void => {
    head.writeUInt16LE(value.length, field);
    head.writeUInt16LE(value.length, field + 2);
    head.writeUInt32LE(at, field + 4);
    payload.push(value);
    at += value.length;
  };
  put(28, Buffer.from(m.domain, 'utf16le'));
  put(36, Buffer.from(m.user, 'utf16le'));
  put(44, Buffer.alloc(0));
  put(12, Buffer.alloc(24));
  put(20, m.ntResponse);
  put(52, m.encryptedSessionKey);
  head.writeUInt32LE(m.flags, 60);
  VERSION.copy(head, 64);
  return Buffer.concat([head, ...payload]);
}

export function placeMic(message: Buffer, mic: Buffer): void {
  mic.copy(message, MIC_OFFSET, 0, MIC_BYTES);
}

function fieldAt(message: Buffer, at: number): Buffer {
  const length = message.readUInt16LE(at);
  const offset = message.readUInt32LE(at + 4);
  if (offset + length > message.length) {
    throw new AgentError('winrm_answer_invalid', 'a field of an NTLM challenge lies outside of it');
  }
  return message.subarray(offset, offset + length);
}
