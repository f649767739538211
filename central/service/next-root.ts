// The next trust root, as people ask for it: version N+1 of the one in force with keys added, removed or replaced. Pure.
import { AgentError } from '../../agent/errors/agent-error.ts';
import { ROOT_PUBLISHED_WITHIN_S } from '../../agent/trust/open-under-any.ts';
import { keyidOf } from '../../agent/wire/keys.ts';
import { ROLES, type Role, type Root } from '../../agent/wire/schemas/root.ts';

export interface AddedKey {
  readonly role: Role;
  readonly person: string;
  /** Base64 of the DER SPKI. */
  readonly spki: string;
  readonly sites?: readonly string[];
}

export interface RootChange {
  readonly persons: readonly { readonly id: string; readonly name: string }[];
  readonly add: readonly AddedKey[];
  /** Keyids that count no more. A witness or receipt key stays among the past keys, so that old evidence can be checked. */
  readonly remove: readonly string[];
  /** Of those removed: what they sign from now on, and what nobody saw before, is worth nothing. */
  readonly compromised: ReadonlySet<string>;
  readonly thresholds: Partial<Record<Role, number>>;
  /** CAs of Central Command, DER in base64; those of the root before where absent. */
  readonly centralCas?: readonly string[] | undefined;
  readonly lifeS: number;
}

/**
 * Between the draft of a root and its publication the keys that it retires go on signing, and what they sign then must count
 * too. A draft is published within this time or made anew.
 */
export const PUBLISH_WITHIN_S = ROOT_PUBLISHED_WITHIN_S;

type PastKey = Root['past_keys'][number];

/**
 * @param history the roots in force until now, the newest first
 * @throws usage, where a removed key is none of the root's
 */
export function nextRoot(history: readonly [Root, ...Root[]], change: RootChange, now: number): Root {
  const [root] = history;
  const removed = new Set(change.remove);
  const unknown = change.remove.find((keyid) => !root.keys.some((key) => key.keyid === keyid));
  if (unknown !== undefined) throw new AgentError('usage', `key ${unknown} is not in root ${root.version}`);
  const added = change.add.map(({ spki, person, sites }) => ({
    keyid: keyidOf(spki),
    spki,
    person,
    ...(sites === undefined ? {} : { sites: [...sites] }),
  }));
  const rolesWith = (role: Role): Root['roles'][Role] => ({
    threshold: change.thresholds[role] ?? root.roles[role].threshold,
    keyids: [
      ...root.roles[role].keyids.filter((keyid) => !removed.has(keyid)),
      ...change.add.filter((key) => key.role === role).map((key) => keyidOf(key.spki)),
    ],
  });
  return {
    ...root,
    version: root.version + 1,
    issued_at: now,
    expires_at: now + change.lifeS,
    persons: [...root.persons, ...change.persons.map((person) => ({ ...person, kind: 'human' as const }))],
    keys: [...root.keys.filter((key) => !removed.has(key.keyid)), ...distinct(added)],
    roles: Object.fromEntries(ROLES.map((role) => [role, rolesWith(role)])) as Root['roles'],
    past_keys: [
      ...root.past_keys.map((past) =>
        change.compromised.has(past.keyid) ? { ...past, status: 'compromised' as const } : past,
      ),
      ...pastKeys(history, change, now),
    ],
    ...(change.centralCas === undefined ? {} : { central_cas: [...change.centralCas] }),
  };
}

function pastKeys(history: readonly [Root, ...Root[]], change: RootChange, now: number): PastKey[] {
  const [root] = history;
  return (['witness', 'receipt'] as const).flatMap((role) =>
    root.roles[role].keyids
      .filter((keyid) => change.remove.includes(keyid))
      .map((keyid): PastKey => {
        const since = history.filter((one) => one.roles[role].keyids.includes(keyid)).map((one) => one.issued_at);
        return {
          role,
          keyid,
          spki: root.keys.find((key) => key.keyid === keyid)?.spki ?? '',
          valid_from: Math.min(...since),
          valid_until: now + (change.compromised.has(keyid) ? 0 : PUBLISH_WITHIN_S),
          status: change.compromised.has(keyid) ? 'compromised' : 'retired',
        };
      }),
  );
}

/** One person may hold one key in several offline roles. */
function distinct<T extends { readonly keyid: string }>(keys: readonly T[]): T[] {
  return [...new Map(keys.map((key) => [key.keyid, key])).values()];
}
