import { resolve } from 'node:path';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { revokedKeyids } from '../../agent/trust/revocations.ts';
import { defaultKeysDir, personSigners } from '../keys/person-keys.ts';
import { findKey, revokeKey, rolesLeftShort } from '../service/publish-revocations.ts';
import { print, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly keys?: string;
  readonly reason: string;
}

/** Signs with every content key in the folder; refused before it is published unless appliances will take it. */
export async function revoke(query: string, o: Options): Promise<void> {
  await withRecords(o, async (records) => {
    const { root } = records.trust.root();
    const keyid = findKey(root, query);
    const signers = (await personSigners(resolve(o.keys ?? defaultKeysDir()), 'content', root)).map((p) => p.signer);
    const { published } = revokeKey(records, { keyid, reason: o.reason }, signers);
    const list = published?.value ?? records.trust.revocations()?.value ?? null;
    if (list === null) throw new AgentError('internal', 'no list of revocations came to be');
    const short = rolesLeftShort(root, revokedKeyids(list));
    print(
      o,
      { keyid, version: list.version, published: published !== null, roles_left_short: short },
      [
        published === null
          ? `key ${keyid} is revoked already, by revocations ${list.version}`
          : `revocations ${list.version} published: key ${keyid} counts no more, here at once and at each appliance with its next check-in`,
        'Content lists and policies that need its signature have to be signed again.',
        ...short.map((role) => `Role ${role} has too few holders left: sign a new trust root.`),
      ].join('\n'),
    );
  });
}
