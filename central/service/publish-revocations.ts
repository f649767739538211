import { AgentError, isAgentError } from '../../agent/errors/agent-error.ts';
import { signDocument } from '../../agent/wire/document.ts';
import { encodeEnvelope, type Signer } from '../../agent/wire/dsse.ts';
import type { Opened } from '../../agent/trust/open-document.ts';
import { openRevocations, revokedKeyids } from '../../agent/trust/revocations.ts';
import { ROLES, type Revocations, type Role, type Root } from '../../agent/wire/schemas/root.ts';
import type { Records } from './central.ts';

/** How much of a keyid has to be given, at least. */
const MIN_PREFIX = 8;

/** The one key of the trust root that `query` begins. @throws usage */
export function findKey(root: Root, query: string): string {
  const found = root.keys.filter(({ keyid }) => query.length >= MIN_PREFIX && keyid.startsWith(query.toLowerCase()));
  const [key] = found;
  if (key === undefined || found.length > 1) {
    throw new AgentError('usage', `${found.length} keys of the trust root begin with ${query}`, {
      remedy: `see central-command revoke list, and give at least ${MIN_PREFIX} digits`,
    });
  }
  return key.keyid;
}

/** Roles that are left with fewer persons than they need. A new trust root has to help them. */
export function rolesLeftShort(root: Root, revoked: ReadonlySet<string>): Role[] {
  return ROLES.filter((role) => {
    const { threshold, keyids } = root.roles[role];
    // Root keys are replaced by a new root and by nothing else.
    const left = root.keys.filter(({ keyid }) => keyids.includes(keyid) && (role === 'root' || !revoked.has(keyid)));
    return new Set(left.map(({ person }) => person)).size < threshold;
  });
}

/**
 * Signs and publishes the next list: all that the one in force names, and this key. A key that is revoked already stays as it
 * stands, and nothing is published unless the list has to be signed anew (isUnderRoot).
 *
 * @throws usage (the key is a root key only), the errors of openRevocations: nothing is published that appliances would refuse
 */
export function revokeKey(
  records: Records,
  what: { readonly keyid: string; readonly reason: string },
  signers: readonly Signer[],
): { published: Opened<'revocations'> | null } {
  const { trust, now } = records;
  const { root } = trust.root();
  const roles = ROLES.filter((role) => root.roles[role].keyids.includes(what.keyid));
  if (roles.every((role) => role === 'root')) {
    throw new AgentError('usage', 'a key of role root is replaced by a new trust root, not revoked');
  }
  const keys = trust.revocations()?.value.keys ?? [];
  if (keys.some(({ keyid }) => keyid === what.keyid)) {
    return { published: isUnderRoot(records) ? null : publish(records, {}, signers) };
  }
  const added = { keyid: what.keyid, revoked_at: now(), reason: what.reason };
  return { published: publish(records, { keys: [...keys, added] }, signers) };
}

export type RevokedOrigin = Revocations['origins'][number];

/**
 * Signs and publishes the next list: all that the one in force names, and this log from a size on. A log that is revoked
 * already stays as it stands, unless less of it is to be trusted: trust is only ever taken away.
 *
 * @throws the errors of openRevocations
 */
export function revokeOrigin(
  records: Records,
  what: Omit<RevokedOrigin, 'revoked_at'>,
  signers: readonly Signer[],
): { published: Opened<'revocations'> | null; revoked: RevokedOrigin } {
  const origins = records.trust.revocations()?.value.origins ?? [];
  const known = origins.find(({ origin }) => origin === what.origin);
  if (known !== undefined && known.trust_until_size <= what.trust_until_size)
    return { published: isUnderRoot(records) ? null : publish(records, {}, signers), revoked: known };
  const { origin, trust_until_size, root } = what;
  const revoked = { origin, trust_until_size, root, revoked_at: records.now() };
  const others = origins.filter((one) => one.origin !== origin);
  return { published: publish(records, { origins: [...others, revoked] }, signers), revoked };
}

/**
 * Whether the root in force takes the list in force. After a change of the content holders it does not: appliances and verifiers
 * that know the older root go on believing it, those that begin at the new one need it signed anew.
 */
function isUnderRoot({ trust }: Records): boolean {
  const current = trust.revocations();
  if (current === null) return true;
  try {
    openRevocations(trust.root().root, current.line, { currentVersion: null });
    return true;
  } catch (error) {
    if (!isAgentError(error) || error.code === 'internal') throw error;
    return false;
  }
}

/** The list in force with `change`, signed and put in force. */
function publish(
  { store, trust, now }: Records,
  change: Partial<Pick<Revocations, 'keys' | 'origins'>>,
  signers: readonly Signer[],
): Opened<'revocations'> {
  const { root } = trust.root();
  const current = trust.revocations();
  const at = now();
  const envelope = signDocument(
    'revocations',
    {
      schema: 'compliance-agent/revocations/v1',
      partner_id: root.partner_id,
      version: (current?.version ?? 0) + 1,
      issued_at: at,
      keys: current?.value.keys ?? [],
      origins: current?.value.origins ?? [],
      ...change,
    },
    signers,
  );
  const published = openRevocations(root, envelope, {
    currentVersion: current?.version ?? null,
    revokedKeyids: revokedKeyids(current?.value ?? null),
    now: at,
  });
  const { version } = published.value;
  store.documents.add(
    { kind: 'revocations', scope: '', version, digest: published.digest, line: encodeEnvelope(envelope) },
    at,
  );
  return published;
}
