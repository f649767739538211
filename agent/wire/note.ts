// Signed notes (c2sp.org/signed-note): text, an empty line, one line per signature. Ed25519 types only.
import { AgentError } from '../errors/agent-error.ts';
import { decodeBase64 } from './base64.ts';
import { sha256 } from './digest.ts';
import type { Signer } from './dsse.ts';
import { ed25519RawFromSpki, ed25519SpkiFromRaw } from './keys.ts';
import { verifyWithNode } from './node-signature.ts';

/** Signature type bytes that this product knows; lines of any other type are ignored, as the format asks. */
export const NOTE_TYPE = { ed25519: 0x01, cosignature: 0x04 } as const;
export type NoteType = (typeof NOTE_TYPE)[keyof typeof NOTE_TYPE];

export interface NoteSignature {
  readonly name: string;
  /** Four bytes that, with the name, say which key signed. */
  readonly keyId: Buffer;
  readonly sig: Buffer;
}

export interface Note {
  /** What is signed: ends with LF, may hold empty lines. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** A key that notes are checked against ("vkey" in its text form). */
export interface NoteKey {
  readonly name: string;
  readonly type: NoteType;
  /** Base64 of the DER SPKI. */
  readonly spki: string;
}

/** Signatures per note and bytes per note; the format asks for at least 16 signatures. */
export const MAX_NOTE_SIGNATURES = 32;
export const MAX_NOTE_BYTES = 16_384;

const KEY_ID_BYTES = 4;
const DASH = '\u2014 ';
const NAME = /^[^\p{White_Space}+]+$/u;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/;

/**
 * Takes a note apart. Verifies nothing.
 *
 * @throws note_invalid
 */
export function parseNote(source: string, place?: string): Note {
  if (Buffer.byteLength(source) > MAX_NOTE_BYTES) throw invalid('the note is too long', place);
  if (!source.isWellFormed() || CONTROL.test(source)) throw invalid('the note holds control characters', place);
  const end = source.lastIndexOf('\n\n');
  if (end === -1 || !source.endsWith('\n')) throw invalid('the note has no signatures', place);
  const lines = source.slice(end + 2, -1).split('\n');
  if (lines.length > MAX_NOTE_SIGNATURES) throw invalid('the note has too many signatures', place);
  return { text: source.slice(0, end + 1), signatures: lines.map((line) => parseSignatureLine(line, place)) };
}

/** One signature line without its LF: `— <name> <base64>`. @throws note_invalid */
export function parseSignatureLine(line: string, place?: string): NoteSignature {
  const parts = line.startsWith(DASH) ? line.slice(DASH.length).split(' ') : [];
  const [name, encoded] = parts;
  if (parts.length !== 2 || name === undefined || encoded === undefined || !NAME.test(name)) {
    throw invalid('a signature line is not "— name base64"', place);
  }
  const bytes = decode(encoded, place);
  if (bytes.length <= KEY_ID_BYTES) throw invalid('a signature is too short', place);
  return { name, keyId: bytes.subarray(0, KEY_ID_BYTES), sig: bytes.subarray(KEY_ID_BYTES) };
}

/** One signature line without its LF. */
export function encodeSignatureLine(signature: NoteSignature): string {
  return `${DASH}${signature.name} ${Buffer.concat([signature.keyId, signature.sig]).toString('base64')}`;
}

/** The text form of a note. @throws note_invalid where the result would not parse back to the same note */
export function encodeNote(note: Note): string {
  const source = `${note.text}\n${note.signatures.map((s) => `${encodeSignatureLine(s)}\n`).join('')}`;
  if (parseNote(source).text !== note.text) throw invalid('the text does not end with one line feed', undefined);
  return source;
}

/** First four bytes of SHA-256(name ‖ LF ‖ type ‖ raw public key). */
export function noteKeyId(key: NoteKey): Buffer {
  const raw = ed25519RawFromSpki(key.spki);
  return sha256(Buffer.concat([Buffer.from(`${key.name}\n`), Buffer.of(key.type), raw])).subarray(0, KEY_ID_BYTES);
}

/** Signs a note's text (Ed25519, type 0x01). @throws note_invalid for an impossible name or text */
export function signNoteText(text: string, name: string, signer: Signer): NoteSignature {
  assertSignable(text, name);
  const keyId = noteKeyId({ name, type: NOTE_TYPE.ed25519, spki: signer.spki });
  return { name, keyId, sig: signer.sign(Buffer.from(text)) };
}

/** @throws note_invalid where `text` or `name` cannot stand in a note */
export function assertSignable(text: string, name: string): void {
  if (!NAME.test(name) || !name.isWellFormed())
    throw invalid('a key name is empty or holds a space or plus', undefined);
  if (!text.endsWith('\n') || !text.isWellFormed() || CONTROL.test(text)) {
    throw invalid('a note text must end with a line feed and hold no other control character', undefined);
  }
}

/** The signatures of a note that claim to be by `key` (name and key id). Any other line is to be ignored. */
export function signaturesBy(note: Note, key: NoteKey): NoteSignature[] {
  const keyId = noteKeyId(key);
  return note.signatures.filter((s) => s.name === key.name && s.keyId.equals(keyId));
}

/**
 * Parses a note and checks that `key` (type 0x01) signed its text.
 *
 * @throws note_invalid | signature_invalid (no signature by this key, or one that does not verify)
 */
export function openNote(source: string, key: NoteKey & { readonly type: 1 }, place?: string): Note {
  const note = parseNote(source, place);
  const claimed = signaturesBy(note, key);
  const data = Buffer.from(note.text);
  if (claimed.length === 0 || !claimed.every((s) => verifyWithNode(key.spki, data, s.sig))) {
    throw new AgentError(
      'signature_invalid',
      `the note is not signed by ${key.name}`,
      place === undefined ? {} : { place },
    );
  }
  return note;
}

/** `<name>+<hex key id>+<base64(type ‖ raw key)>`. */
export function encodeNoteKey(key: NoteKey): string {
  const material = Buffer.concat([Buffer.of(key.type), ed25519RawFromSpki(key.spki)]).toString('base64');
  return `${key.name}+${noteKeyId(key).toString('hex')}+${material}`;
}

/** @throws note_invalid where the text is no Ed25519 verifier key, or its key id is not its own */
export function parseNoteKey(vkey: string): NoteKey {
  const match = /^([^\p{White_Space}+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/u.exec(vkey);
  if (match === null) throw invalid('this is not a verifier key', undefined);
  const [, name, keyId, encoded] = match as unknown as [string, string, string, string];
  const material = decode(encoded, undefined);
  const type = Object.values(NOTE_TYPE).find((t) => t === material[0]);
  if (type === undefined || material.length !== 33) throw invalid('this is not an Ed25519 verifier key', undefined);
  const key: NoteKey = { name, type, spki: ed25519SpkiFromRaw(material.subarray(1)) };
  if (noteKeyId(key).toString('hex') !== keyId) throw invalid('the key id does not belong to this key', undefined);
  return key;
}

function decode(text: string, place: string | undefined): Buffer {
  try {
    return decodeBase64(text, place);
  } catch (cause) {
    throw new AgentError('note_invalid', 'a line is not canonical base64', {
      ...(place === undefined ? {} : { place }),
      cause,
    });
  }
}

function invalid(sentence: string, place: string | undefined): AgentError<'note_invalid'> {
  return new AgentError('note_invalid', sentence, place === undefined ? {} : { place });
}
