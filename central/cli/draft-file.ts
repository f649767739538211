// A document that people sign one after another: a file that goes from hand to hand. It is the envelope itself, at first
// without a signature; signing needs the file and the person's key, no server and no network.
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { maxLineBytes, parseDocument } from '../../agent/wire/document.ts';
import { encodeEnvelope, pae, parseEnvelope, type Envelope } from '../../agent/wire/dsse.ts';
import { DOCUMENTS, type DocumentName } from '../../agent/wire/schemas/payload-types.ts';
import type { PersonSigner } from '../keys/person-keys.ts';

/** A signature of nobody: an envelope has one at least, a draft none yet. */
const UNSIGNED = '"signatures":[]}';

export function writeDraft(path: string, name: DocumentName, payload: Buffer): void {
  const text = encodeEnvelope({ payload, payloadType: DOCUMENTS[name].payloadType, signatures: [] });
  try {
    writeFileSync(path, `${text}\n`, { flag: 'wx' });
  } catch (cause) {
    throw new AgentError('draft_unwritable', 'the draft cannot be written', { place: path, cause });
  }
}

/** @throws draft_invalid; the errors of parseDocument */
export function readDraft(path: string, name: DocumentName): Envelope {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new AgentError('draft_invalid', 'the file cannot be read', { place: path, cause });
  }
  const unsigned = text.endsWith(UNSIGNED);
  const filler = `"signatures":[{"keyid":"${'0'.repeat(64)}","sig":"AA=="}]}`;
  let envelope: Envelope;
  try {
    const line = unsigned ? text.slice(0, -UNSIGNED.length) + filler : text;
    envelope = parseEnvelope(line, { maxBytes: maxLineBytes(name), place: path });
  } catch (cause) {
    throw new AgentError('draft_invalid', 'the file is no draft and no signed document', { place: path, cause });
  }
  if (envelope.payloadType !== DOCUMENTS[name].payloadType) {
    throw new AgentError('draft_invalid', `the file is not of type ${DOCUMENTS[name].payloadType}`, { place: path });
  }
  parseDocument(name, envelope.payload, path);
  return unsigned ? { ...envelope, signatures: [] } : envelope;
}

/**
 * Adds one person's signature and writes the file anew. Signing again with the same key changes nothing; what somebody else put
 * there under the keyid of that key is replaced, so that who was told that he signed has signed.
 */
export function signDraft(path: string, envelope: Envelope, { signer }: PersonSigner): Envelope {
  const sig = signer.sign(pae(envelope.payloadType, envelope.payload));
  const before = envelope.signatures.filter(({ keyid }) => keyid === signer.keyid);
  if (before.length === 1 && before[0]?.sig.equals(sig) === true) return envelope;
  const others = envelope.signatures.filter(({ keyid }) => keyid !== signer.keyid);
  const signed = { ...envelope, signatures: [...others, { keyid: signer.keyid, sig }] };
  writeFileSync(path, `${encodeEnvelope(signed)}\n`);
  return signed;
}

/** Text as a terminal may show it: no character in it moves the cursor, hides or turns round what stands beside it. */
export const shown = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) =>
    c === '\n' ? c : `\\u{${c.codePointAt(0)?.toString(16) ?? ''}}`,
  );

/** What stands in the document is shown before it is signed; whoever is no terminal says --yes beforehand. */
export async function agreed(what: string, yes: boolean): Promise<void> {
  process.stderr.write(`${shown(what)}\n`);
  if (yes) return;
  if (!process.stdin.isTTY) throw new AgentError('usage', 'nothing is signed unasked', { remedy: 'add --yes' });
  const ask = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await ask.question('Sign this? [y/N] ');
    if (!/^y(es)?$/i.test(answer.trim())) throw new AgentError('usage', 'not signed');
  } finally {
    ask.close();
  }
}
