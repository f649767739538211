import { resolve } from 'node:path';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { centralCas } from '../../agent/trust/central-cas.ts';
import { acceptSuccessor } from '../../agent/trust/root.ts';
import { ONLINE_ROLES as SERVER_ROLES } from '../../agent/trust/root-consistency.ts';
import { rootWarnings } from '../../agent/trust/root-warnings.ts';
import { encodeDocument } from '../../agent/wire/document.ts';
import { encodeEnvelope } from '../../agent/wire/dsse.ts';
import { keyidOf } from '../../agent/wire/keys.ts';
import { ROLES, type Role } from '../../agent/wire/schemas/root.ts';
import { loadOnlineKeys, makeOnlineKey, onlineKeysDir, type OnlineRole } from '../keys/online-keys.ts';
import { hasSealedKeys, sealServerKeys, unsealKeys } from '../keys/unsealed-keys.ts';
import { caInUse, casForRoot } from '../service/ca-in-use.ts';
import { names } from '../service/left-behind.ts';
import { nextRoot, PUBLISH_WITHIN_S, type AddedKey } from '../service/next-root.ts';
import { findKey } from '../service/publish-revocations.ts';
import { describeRoot } from './describe-draft.ts';
import { readDraft, writeDraft } from './draft-file.ts';
import { print, table, when, type Common } from './output.ts';
import { signDraftFile, type SignOptions } from './sign-draft.ts';
import { withRecords, type WithData } from './with-records.ts';

const DAY_S = 86_400;
/** Appliances never go back to an earlier root, and a server key that is lost with a disk is in no earlier backup. */
const BACKUP_AFTER_DRAFT = 'new keys of the server were made: back up keys/ before this root is published';
const BACKUP_AFTER_PUBLISH =
  'make a backup of central.db and keys/ now: appliances that take this root are ahead of every backup from before it';

export async function show(o: Common & WithData): Promise<void> {
  await withRecords(o, ({ trust, now }) => {
    const { root, digest } = trust.root();
    const warnings = rootWarnings(root, now());
    const rows = root.keys.map(({ keyid, person, sites }) => [
      keyid,
      person,
      ROLES.filter((role) => root.roles[role].keyids.includes(keyid)).join(','),
      sites?.join(',') ?? 'all',
    ]);
    const thresholds = ROLES.map((role) => `${role} ${root.roles[role].threshold}`).join(', ');
    print(
      o,
      { version: root.version, root_sha256: digest, expires_at: root.expires_at, root, warnings },
      [
        `root ${root.version} of ${root.partner_id}, until ${when(root.expires_at)}`,
        `digest     ${digest}`,
        `thresholds ${thresholds}`,
        ...centralCas(root).map((ca) => `CA pin     ${ca.pin}`),
        ...root.past_keys.map(
          (past) => `past       ${past.role} ${past.keyid} until ${when(past.valid_until)}, ${past.status}`,
        ),
        table(['KEY', 'HOLDER', 'ROLES', 'SITES'], rows),
      ].join('\n'),
    );
  });
}

interface DraftOptions extends Common, WithData {
  readonly out: string;
  readonly person?: readonly string[];
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
  readonly compromised?: readonly string[];
  readonly threshold?: readonly string[];
  readonly online?: readonly string[];
  readonly days: number;
}

/** Version N+1 as a draft; publishes nothing. A new server key is made beside the one in use, which goes on until then. */
export async function draft(o: DraftOptions): Promise<void> {
  const keyDir = onlineKeysDir(resolve(o.data));
  const isSealed = hasSealedKeys(keyDir);
  await withRecords(o, ({ store, trust, now }) => {
    const { root } = trust.root();
    const online = (o.online ?? []).map(onlineRole);
    const compromised = (o.compromised ?? []).map((query) => findKey(root, query));
    const replaced = online.flatMap((role) => root.roles[role].keyids);
    const service = root.persons.find((person) => person.kind === 'service')?.id ?? '';
    const made = online.map((role): AddedKey => {
      const { spki } = makeOnlineKey(resolve(o.data), role);
      return { role, person: service, spki };
    });
    const history = [root, ...trust.earlierRoots().map((earlier) => earlier.root)] as const;
    const next = nextRoot(
      history,
      {
        persons: (o.person ?? []).map(parsePerson),
        add: [...(o.add ?? []).map(parseAdded), ...made],
        remove: [...new Set([...(o.remove ?? []).map((query) => findKey(root, query)), ...compromised, ...replaced])],
        compromised: new Set(compromised),
        thresholds: Object.fromEntries((o.threshold ?? []).map(parseThreshold)),
        centralCas: casForRoot(resolve(o.data), store),
        lifeS: o.days * DAY_S,
      },
      now(),
    );
    writeDraft(o.out, 'root', encodeDocument('root', next));
    print(
      o,
      {
        version: next.version,
        expires_at: next.expires_at,
        draft: o.out,
        ...(made.length === 0 ? {} : { backup: BACKUP_AFTER_DRAFT }),
      },
      [
        describeRoot(next),
        `draft in ${o.out}: holders of root keys run central-command root sign ${o.out}`,
        ...(made.length === 0 ? [] : [BACKUP_AFTER_DRAFT]),
        'once it is published, a backup has to be made: keep the signed file until then',
      ].join('\n'),
    );
  });
  // What was made plain a moment ago is no safer than those beside it.
  if (isSealed) await sealServerKeys(keyDir);
}

export const sign = (file: string, o: SignOptions): Promise<void> =>
  signDraftFile(file, { name: 'root', role: 'root', describe: describeRoot, named: ({ version }) => ({ version }) }, o);

/** In force here at once; at each appliance with its next check-in. One commit: the server's keys follow from the root. */
export async function publish(file: string, o: Common & WithData): Promise<void> {
  await unsealKeys(onlineKeysDir(resolve(o.data)));
  await withRecords(o, ({ store, trust, now }) => {
    const next = acceptSuccessor(trust.root(), encodeEnvelope(readDraft(file, 'root')), file);
    if (now() > next.root.issued_at + PUBLISH_WITHIN_S) {
      throw new AgentError('draft_invalid', `the root was drafted more than ${PUBLISH_WITHIN_S / DAY_S} days ago`, {
        place: file,
      });
    }
    // A root whose server keys are not here would end every answer.
    loadOnlineKeys(resolve(o.data), next.root);
    const { pin } = caInUse(resolve(o.data), store);
    if (next.root.central_cas !== undefined && !names(next.root, pin)) {
      throw new AgentError('ca_not_in_root', `the root names CAs, and not the one in use, pin ${pin}`, { place: file });
    }
    const { version } = next.root;
    store.documents.add({ kind: 'root', scope: '', version, digest: next.digest, line: next.line }, now());
    print(
      o,
      { version, root_sha256: next.digest, expires_at: next.root.expires_at, backup: BACKUP_AFTER_PUBLISH },
      [
        `root ${version} is in force here, and at each appliance with its next check-in`,
        `digest ${next.digest}: publish it beside those before it`,
        BACKUP_AFTER_PUBLISH,
      ].join('\n'),
    );
  });
}

function onlineRole(text: string): OnlineRole {
  const role = SERVER_ROLES.find((one) => one === text);
  if (role === undefined) throw new AgentError('usage', `--online ${text} is none of ${SERVER_ROLES.join(', ')}`);
  return role;
}

function parsePerson(text: string): { id: string; name: string } {
  const [id, name] = text.split('=');
  if (id === undefined || name === undefined) throw new AgentError('usage', `--person ${text} is not ID=NAME`);
  return { id, name };
}

/** `role:person=SPKI`, and `@site,site` behind it for a key that is limited to sites. */
function parseAdded(text: string): AddedKey {
  const [, role, person, spki, sites] = /^([a-z]+):([a-z0-9-]+)=([A-Za-z0-9+/=]+)(?:@(.+))?$/.exec(text) ?? [];
  const known = ROLES.find((one) => one === role);
  if (known === undefined || person === undefined || spki === undefined) {
    throw new AgentError(
      'usage',
      `--add ${text} is not ROLE:PERSON=SPKI, with @SITE,SITE behind it for some sites only`,
    );
  }
  keyidOf(spki);
  return { role: known, person, spki, ...(sites === undefined ? {} : { sites: sites.split(',') }) };
}

function parseThreshold(text: string): [Role, number] {
  const [name, count] = text.split('=');
  const role = ROLES.find((one) => one === name);
  if (role === undefined || !/^[1-9]$/.test(count ?? '')) {
    throw new AgentError('usage', `--threshold ${text} is not ROLE=1 to 9`);
  }
  return [role, Number(count)];
}
