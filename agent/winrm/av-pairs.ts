// AV_PAIR lists (MS-NLMP 2.2.2.1): what an NTLM server says of itself, and what the client adds.
import { AgentError } from '../errors/agent-error.ts';

export const AV_EOL = 0;
export const AV_FLAGS = 6;
export const AV_TIMESTAMP = 7;
export const AV_TARGET_NAME = 9;
export const AV_CHANNEL_BINDINGS = 10;
/** In MsvAvFlags: the AUTHENTICATE message carries a MIC. */
export const AV_FLAG_MIC = 2;

const HEADER_BYTES = 4;
/** Windows sends eight at most; a list that never ends is no list. */
const MAX_PAIRS = 64;

export interface AvPair {
  readonly id: number;
  readonly value: Buffer;
}

/** Pairs up to MsvAvEOL, which must be there. Throws `winrm_challenge_weak`. */
export function readAvPairs(data: Buffer): AvPair[] {
  const pairs: AvPair[] = [];
  let at = 0;
  while (at + HEADER_BYTES <= data.length && pairs.length < MAX_PAIRS) {
    const id = data.readUInt16LE(at);
    const length = data.readUInt16LE(at + 2);
    at += HEADER_BYTES;
    if (id === AV_EOL) return pairs;
    if (at + length > data.length) break;
    pairs.push({ id, value: data.subarray(at, at + length) });
    at += length;
  }
  throw new AgentError('winrm_challenge_weak', 'the target info of an NTLM challenge is cut off');
}

/** With the closing MsvAvEOL. */
export function writeAvPairs(pairs: readonly AvPair[]): Buffer {
  const parts = pairs.flatMap(({ id, value }) => {
    const head = Buffer.alloc(HEADER_BYTES);
    head.writeUInt16LE(id, 0);
    head.writeUInt16LE(value.length, 2);
    return [head, value];
  });
  return Buffer.concat([...parts, Buffer.alloc(HEADER_BYTES)]);
}
