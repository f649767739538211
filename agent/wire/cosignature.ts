// Cosignatures (c2sp.org/tlog-cosignature, version 1, Ed25519): a witness says when it saw a checkpoint as the latest.
import { AgentError } from '../errors/agent-error.ts';
import type { Signer } from './dsse.ts';
import { assertSignable, NOTE_TYPE, noteKeyId, signaturesBy, type Note, type NoteSignature } from './note.ts';
import { verifyWithNode } from './node-signature.ts';
import { parseCheckpoint } from './checkpoint.ts';

const TIMESTAMP_BYTES = 8;
const SIGNATURE_BYTES = 64;

/**
 * Cosigns the text of a checkpoint note at `time` (Unix seconds). Consistency with what was cosigned before is the
 * caller's duty, and so is keeping that before this line leaves the house.
 *
 * @throws note_invalid where `text` is no checkpoint or `time` no Unix time
 */
export function cosign(text: string, name: string, signer: Signer, time: number): NoteSignature {
  assertSignable(text, name);
  parseCheckpoint(text);
  if (!Number.isSafeInteger(time) || time < 0) throw new AgentError('note_invalid', 'the time is not a Unix time');
  const timestamp = Buffer.alloc(TIMESTAMP_BYTES);
  timestamp.writeBigUInt64BE(BigInt(time));
  const keyId = noteKeyId({ name, type: NOTE_TYPE.cosignature, spki: signer.spki });
  return { name, keyId, sig: Buffer.concat([timestamp, signer.sign(message(text, BigInt(time)))]) };
}

/**
 * The time (Unix seconds) at which the witness cosigned the note; the latest if it did so more than once.
 *
 * @throws signature_invalid where there is no cosignature by this witness or one does not verify
 */
export function verifyCosignature(
  note: Note,
  witness: { readonly name: string; readonly spki: string },
  place?: string,
): number {
  const times = signaturesBy(note, { ...witness, type: NOTE_TYPE.cosignature }).map((s) =>
    timeOf(note.text, witness.spki, s.sig),
  );
  if (times.length === 0 || times.includes(null)) {
    throw new AgentError(
      'signature_invalid',
      `the checkpoint is not cosigned by ${witness.name}`,
      place === undefined ? {} : { place },
    );
  }
  return Math.max(...times.map(Number));
}

function timeOf(text: string, spki: string, sig: Buffer): number | null {
  if (sig.length !== TIMESTAMP_BYTES + SIGNATURE_BYTES) return null;
  const time = sig.readBigUInt64BE();
  if (time > BigInt(Number.MAX_SAFE_INTEGER)) return null;
  return verifyWithNode(spki, message(text, time), sig.subarray(TIMESTAMP_BYTES)) ? Number(time) : null;
}

function message(text: string, time: bigint): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);
}
