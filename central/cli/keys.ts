import { resolve } from 'node:path';
import * as v from 'valibot';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { id } from '../../agent/wire/schemas/primitives.ts';
import { makePrivateDir } from '../keys/key-files.ts';
import {
  createPersonKey,
  defaultKeysDir,
  personKeyFiles,
  PERSON_ROLES,
  readPersonKey,
  sealPersonKeys,
  type PersonRole,
} from '../keys/person-keys.ts';
import { onlineKeysDir } from '../keys/online-keys.ts';
import { sealServerKeys } from '../keys/unsealed-keys.ts';
import { print, table, type Common } from './output.ts';

interface Options extends Common {
  readonly keys?: string;
}

const dirOf = (o: Options): string => resolve(o.keys ?? defaultKeysDir());

/** A new key on the machine of its holder. What is printed goes to whoever drafts the next root. */
export async function create(o: Options & { readonly role: string; readonly person: string }): Promise<void> {
  const role = PERSON_ROLES.find((one) => one === o.role);
  if (role === undefined) throw new AgentError('usage', `--role is ${PERSON_ROLES.join(', ')}`);
  if (!v.is(id, o.person)) throw new AgentError('usage', '--person is no id (lower-case letters, digits, hyphens)');
  const dir = dirOf(o);
  makePrivateDir(dir);
  const { signer } = createPersonKey(dir, role, o.person);
  print(
    o,
    { role, person: o.person, keyid: signer.keyid, spki: signer.spki },
    [
      `new ${role} key of ${o.person}: ${signer.keyid}`,
      `for the next root: --add ${role}:${o.person}=${signer.spki}`,
      'it counts once a root names it; seal it with central-command keys seal',
    ].join('\n'),
  );
}

/** Opens each key, so that what is listed can be signed with. */
export async function list(o: Options): Promise<void> {
  const rows: { role: PersonRole; person: string; keyid: string; sealed: boolean; spki: string }[] = [];
  for (const file of personKeyFiles(dirOf(o))) {
    const { signer } = await readPersonKey(file);
    rows.push({ role: file.role, person: file.person, keyid: signer.keyid, sealed: file.sealed, spki: signer.spki });
  }
  const lines = rows.map((row) => [row.role, row.person, row.keyid, row.sealed ? 'passphrase' : 'none']);
  print(
    o,
    { keys: rows },
    rows.length === 0 ? 'no keys of people' : table(['ROLE', 'PERSON', 'KEY', 'SEALED BY'], lines),
  );
}

/** With `--data`: the keys of the server in that folder instead of those of people. */
export async function seal(o: Options & { readonly data?: string }): Promise<void> {
  if (o.data !== undefined) {
    const sealed = await sealServerKeys(onlineKeysDir(resolve(o.data)));
    const lines = sealed.length === 0 ? 'no plain keys of the server are there' : `sealed:\n  ${sealed.join('\n  ')}`;
    print(o, { sealed }, lines);
    return;
  }
  const made = await sealPersonKeys(dirOf(o));
  print(
    o,
    { sealed: made },
    made.length === 0 ? 'no plain keys of people are there' : `sealed:\n${made.map((path) => `  ${path}`).join('\n')}`,
  );
}
