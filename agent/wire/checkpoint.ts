// Checkpoints (c2sp.org/tlog-checkpoint): a signed note that says how large a log is and what its Merkle root is.
import { AgentError } from '../errors/agent-error.ts';
import { decodeBase64 } from './base64.ts';
import type { Signer } from './dsse.ts';
import { HASH_BYTES } from './merkle.ts';
import { encodeNote, NOTE_TYPE, openNote, signNoteText, type Note } from './note.ts';

export interface Checkpoint {
  /** Identity of the log; for evidence `<domain>/<appliance_id>/<epoch>`. */
  readonly origin: string;
  /** Number of leaves, below 2^53. */
  readonly size: number;
  readonly root: Buffer;
  /** Opaque further lines; this product writes none. */
  readonly extensions: readonly string[];
}

/** The note text of a checkpoint. @throws note_invalid for values that it cannot hold */
export function encodeCheckpoint(c: Checkpoint): string {
  const lines = [c.origin, String(c.size), c.root.toString('base64'), ...c.extensions];
  const text = lines.map((line) => `${line}\n`).join('');
  parseCheckpoint(text);
  return text;
}

/**
 * Reads a note text as a checkpoint. Call it on texts whose signature was checked.
 *
 * @throws note_invalid
 */
export function parseCheckpoint(text: string, place?: string): Checkpoint {
  const lines = text.endsWith('\n') ? text.slice(0, -1).split('\n') : [];
  const [origin, size, root, ...extensions] = lines;
  if (origin === undefined || size === undefined || root === undefined || lines.includes('')) {
    throw invalid('a checkpoint has at least three lines and no empty one', place);
  }
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(size) || !Number.isSafeInteger(Number(size))) {
    throw invalid('the tree size is not a decimal number below 2^53', place);
  }
  return { origin, size: Number(size), root: rootOf(root, place), extensions };
}

/** A whole checkpoint note, signed by the log's key; the key's name is the origin. */
export function signCheckpoint(checkpoint: Checkpoint, signer: Signer): string {
  const text = encodeCheckpoint(checkpoint);
  return encodeNote({ text, signatures: [signNoteText(text, checkpoint.origin, signer)] });
}

/**
 * Checks that the log `origin` with the key `spki` signed this checkpoint, and reads it.
 *
 * @throws note_invalid | signature_invalid
 */
export function openCheckpoint(
  source: string,
  log: { readonly origin: string; readonly spki: string },
  place?: string,
): { checkpoint: Checkpoint; note: Note } {
  const note = openNote(source, { name: log.origin, type: NOTE_TYPE.ed25519, spki: log.spki }, place);
  const checkpoint = parseCheckpoint(note.text, place);
  if (checkpoint.origin !== log.origin) throw invalid('the checkpoint is of another log', place);
  return { checkpoint, note };
}

function rootOf(line: string, place: string | undefined): Buffer {
  let root: Buffer;
  try {
    root = decodeBase64(line);
  } catch (cause) {
    throw new AgentError('note_invalid', 'the root is not base64', {
      ...(place === undefined ? {} : { place }),
      cause,
    });
  }
  if (root.length !== HASH_BYTES) throw invalid('the root is not 32 bytes long', place);
  return root;
}

function invalid(sentence: string, place: string | undefined): AgentError<'note_invalid'> {
  return new AgentError('note_invalid', sentence, place === undefined ? {} : { place });
}
