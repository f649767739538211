import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { signDocument } from '../../agent/wire/document.ts';
import { encodeEnvelope } from '../../agent/wire/dsse.ts';
import { keyidOf } from '../../agent/wire/keys.ts';
import type { Root } from '../../agent/wire/schemas/root.ts';
import { parseRoot, type PinnedRoot } from '../../agent/trust/root.ts';
import {
  createAuthority,
  createBackupAuthority,
  derText,
  FIRST_GENERATION,
  readPublicAuthority,
} from '../ca/certificate-authority.ts';
import { makePrivateDir, refuseNested } from '../keys/key-files.ts';
import { createOnlineKeys, ONLINE_ROLES, onlineKeysDir, type OnlineKeys } from '../keys/online-keys.ts';
import { createPersonKey, type PersonSigner } from '../keys/person-keys.ts';
import { databasePath, openCentralStore } from '../store/open-central-store.ts';

const ROOT_LIFE_S = 365 * 86_400;
/** Waited before the act where one person alone may authorise. */
const SINGLE_APPROVER_DELAY_S = 3_600;
/** Person id of the server in the root. */
const SERVICE = 'central-command';

export interface NewCentral {
  readonly dataDir: string;
  readonly keysDir: string;
  readonly partnerId: string;
  readonly logDomain: string;
  readonly direct: boolean;
  readonly persons: readonly { readonly id: string; readonly name: string }[];
  /** Unix seconds. */
  readonly now: number;
  /** Where evidence will be kept (evidence-store/store-address.ts); the folder when absent. */
  readonly evidenceStore?: string;
}

/**
 * Makes keys, CA, trust root and database. Two or more persons: root, content and operator need two of them (content one
 * in direct mode); one person: one, said in the root as single_approver.
 *
 * @throws usage for persons whose ids are taken, before anything is made; central_exists, keys_inside_data, key_permissions, schema_invalid,
 *   root_invalid
 */
export async function createCentral(o: NewCentral): Promise<{ root: PinnedRoot; caPins: string[] }> {
  refuseTaken(o.persons);
  refuseNested(o.dataDir, o.keysDir);
  refuseExisting(o);
  makePrivateDir(o.dataDir);
  makePrivateDir(o.keysDir);
  mkdirSync(onlineKeysDir(o.dataDir), { mode: 0o700 });
  const online = createOnlineKeys(o.dataDir);
  const people = {
    root: o.persons.map((person) => createPersonKey(o.keysDir, 'root', person.id)),
    content: o.persons.map((person) => createPersonKey(o.keysDir, 'content', person.id)),
    operator: o.persons.map((person) => createPersonKey(o.keysDir, 'operator', person.id)),
  };
  await createAuthority(onlineKeysDir(o.dataDir), { partnerId: o.partnerId, now: o.now });
  const backup = await createBackupAuthority(o.keysDir, { partnerId: o.partnerId, now: o.now });
  const { pin, caPem } = readPublicAuthority(onlineKeysDir(o.dataDir), FIRST_GENERATION);
  const envelope = signDocument(
    'root',
    firstRoot(o, online, people, [caPem, backup.pem]),
    people.root.map(({ signer }) => signer),
  );
  const root = parseRoot(encodeEnvelope(envelope));
  const store = openCentralStore(o.dataDir, { create: true });
  try {
    store.unit(() => {
      store.setSetting('deployment_mode', o.direct ? 'direct' : 'reseller');
      store.setSetting('backup_ca_pin', backup.pin);
      store.setSetting('backup_ca_pem', backup.pem);
      if (o.evidenceStore !== undefined) store.setSetting('evidence_store', o.evidenceStore);
      store.documents.add({ kind: 'root', scope: '', version: 1, digest: root.digest, line: root.line }, o.now);
    });
  } finally {
    store.close();
  }
  return { root, caPins: [pin, backup.pin] };
}

function refuseTaken(persons: NewCentral['persons']): void {
  for (const [index, { id, name }] of persons.entries()) {
    const isTwice = persons.findIndex((other) => other.id === id) !== index;
    if (!isTwice && id !== SERVICE) continue;
    const taken = id === SERVICE ? 'is what the keys of the server itself are called' : 'stands twice';
    throw new AgentError('usage', `the person ${JSON.stringify(name)} ${taken}`, {
      remedy: 'name each person with --person and a name of their own',
    });
  }
}

function refuseExisting(o: Pick<NewCentral, 'dataDir' | 'keysDir'>): void {
  if (existsSync(databasePath(o.dataDir)) || existsSync(onlineKeysDir(o.dataDir))) {
    throw new AgentError('central_exists', 'there is a Central Command in the folder', { place: o.dataDir });
  }
  const key = existsSync(o.keysDir) ? readdirSync(o.keysDir).find((name) => name.endsWith('.pem')) : undefined;
  if (key !== undefined) {
    throw new AgentError('central_exists', 'there are keys in the folder', { place: join(o.keysDir, key) });
  }
}

function firstRoot(
  o: NewCentral,
  online: OnlineKeys,
  people: Readonly<Record<'root' | 'content' | 'operator', readonly PersonSigner[]>>,
  cas: readonly string[],
): Root {
  const two = Math.min(2, o.persons.length);
  const held = [...people.root, ...people.content, ...people.operator];
  const ofPeople = (role: keyof typeof people, threshold: number) => ({
    threshold,
    keyids: people[role].map(({ signer }) => signer.keyid),
  });
  const ofServer = (role: (typeof ONLINE_ROLES)[number]) => ({ threshold: 1, keyids: [online[role].keyid] });
  return {
    schema: 'compliance-agent/root/v1',
    partner_id: o.partnerId,
    log_domain: o.logDomain,
    version: 1,
    issued_at: o.now,
    expires_at: o.now + ROOT_LIFE_S,
    persons: [
      ...o.persons.map((person) => ({ ...person, kind: 'human' as const })),
      { id: SERVICE, name: 'Central Command', kind: 'service' as const },
    ],
    keys: [
      ...held.map(({ person, signer }) => ({ keyid: keyidOf(signer.spki), spki: signer.spki, person })),
      ...ONLINE_ROLES.map((role) => ({ keyid: online[role].keyid, spki: online[role].spki, person: SERVICE })),
    ],
    roles: {
      root: ofPeople('root', two),
      content: ofPeople('content', o.direct ? 1 : two),
      registrar: ofServer('registrar'),
      operator: ofPeople('operator', two),
      order: ofServer('order'),
      timestamp: ofServer('timestamp'),
      witness: ofServer('witness'),
      receipt: ofServer('receipt'),
    },
    witness_name: `${o.logDomain}/witness`,
    past_keys: [],
    central_cas: cas.map(derText),
    ...(two === 1 ? { single_approver: { delay_s: SINGLE_APPROVER_DELAY_S } } : {}),
  };
}
