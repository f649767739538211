// The little of DER (X.690) that SPNEGO needs: definite lengths, one-byte tags. Pure.
import { AgentError } from '../errors/agent-error.ts';

export interface Tlv {
  readonly tag: number;
  readonly value: Buffer;
  /** Offset behind it. */
  readonly end: number;
}

/** Throws `winrm_answer_invalid`. */
export function readTlv(data: Buffer, at: number): Tlv {
  const first = data[at + 1];
  if (first === undefined) throw broken();
  let length = first;
  let start = at + 2;
  if (first >= 0x80) {
    const size = first & 0x7f;
    if (size < 1 || size > 3 || start + size > data.length) throw broken();
    length = data.readUIntBE(start, size);
    start += size;
  }
  const end = start + length;
  if (end > data.length) throw broken();
  return { tag: data[at]!, value: data.subarray(start, end), end };
}

/** All elements, one after the other, with nothing left over. */
export function readAll(data: Buffer): Tlv[] {
  const found: Tlv[] = [];
  for (let at = 0; at < data.length; at = found.at(-1)!.end) found.push(readTlv(data, at));
  return found;
}

export function writeTlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const { length } = value;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), value]);
  const size = length < 0x100 ? 1 : length < 0x10000 ? 2 : 3;
  const head = Buffer.alloc(2 + size);
  head[0] = tag;
  head[1] = 0x80 | size;
  head.writeUIntBE(length, 2, size);
  return Buffer.concat([head, value]);
}

function broken(): AgentError {
  return new AgentError('winrm_answer_invalid', 'a token of the server is no DER');
}
