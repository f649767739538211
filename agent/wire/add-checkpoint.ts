// The body of C2SP tlog-witness `add-checkpoint`: which size the witness cosigned last, the proof from there, the checkpoint.
import { AgentError } from '../errors/agent-error.ts';
import { decodeBase64 } from './base64.ts';
import { HASH_BYTES } from './merkle.ts';

/** A tree of 2^53 leaves needs fewer; the format allows so many. */
export const MAX_PROOF_HASHES = 63;

export interface AddCheckpoint {
  readonly oldSize: number;
  /** RFC 9162 consistency proof from `oldSize`; empty from 0 and from the same size. */
  readonly proof: readonly Buffer[];
  /** The checkpoint: a whole signed note, byte for byte. */
  readonly checkpoint: string;
}

export function encodeAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): string {
  return `old ${oldSize}\n${proof.map((hash) => `${hash.toString('base64')}\n`).join('')}\n${checkpoint}`;
}

/**
 * Takes a body apart. Verifies nothing of the checkpoint.
 *
 * @throws note_invalid
 */
export function parseAddCheckpoint(body: string, place?: string): AddCheckpoint {
  const end = body.indexOf('\n\n');
  if (end === -1) throw invalid('there is no empty line before the checkpoint', place);
  const [first = '', ...hashes] = body.slice(0, end).split('\n');
  const old = /^old (0|[1-9][0-9]{0,15})$/.exec(first)?.[1];
  if (old === undefined || !Number.isSafeInteger(Number(old))) {
    throw invalid('the first line is not "old" and a decimal size', place);
  }
  if (hashes.length > MAX_PROOF_HASHES) throw invalid('the consistency proof is too long', place);
  return { oldSize: Number(old), proof: hashes.map((hash) => hashOf(hash, place)), checkpoint: body.slice(end + 2) };
}

function hashOf(line: string, place: string | undefined): Buffer {
  let hash: Buffer;
  try {
    hash = decodeBase64(line);
  } catch (cause) {
    const options = place === undefined ? { cause } : { cause, place };
    throw new AgentError('note_invalid', 'a line of the proof is not base64', options);
  }
  if (hash.length !== HASH_BYTES) throw invalid('a hash of the proof is not 32 bytes long', place);
  return hash;
}

function invalid(sentence: string, place: string | undefined): AgentError<'note_invalid'> {
  return new AgentError('note_invalid', sentence, place === undefined ? {} : { place });
}
