// The verbs `authorise sign`, `root sign` and `partner sign`: one person, one key, one file. No server, no network.
import { resolve } from 'node:path';
import { parseDocument, type DocumentOf } from '../../agent/wire/document.ts';
import { defaultKeysDir, oneSigner, type PersonRole } from '../keys/person-keys.ts';
import { agreed, readDraft, signDraft } from './draft-file.ts';
import { print, type Common } from './output.ts';

export interface SignOptions extends Common {
  readonly keys?: string;
  readonly person?: string;
  readonly yes?: boolean;
}

type Signed = 'authorisation' | 'root' | 'partner';

/** What is signed, who signs it, how it is put into words, and what names it in the output. */
interface Signing<N extends Signed> {
  readonly name: N;
  readonly role: PersonRole;
  readonly describe: (value: DocumentOf<N>) => string;
  readonly named: (value: DocumentOf<N>) => object;
}

/** Shows what a draft says, asks, and adds the signature. @throws what oneSigner, readDraft and agreed throw */
export async function signDraftFile<N extends Signed>(
  file: string,
  { name, role, describe, named }: Signing<N>,
  o: SignOptions,
): Promise<void> {
  const { person, signer } = await oneSigner(resolve(o.keys ?? defaultKeysDir()), role, o.person);
  const envelope = readDraft(file, name);
  const value = parseDocument(name, envelope.payload, file);
  await agreed(`${describe(value)}\n${person} signs this with key ${signer.keyid}.`, o.yes === true);
  const count = signDraft(file, envelope, { person, signer }).signatures.length;
  print(
    o,
    { ...named(value), person, signatures: count },
    `signed by ${person}; the file has ${count} signature${count === 1 ? '' : 's'}`,
  );
}
