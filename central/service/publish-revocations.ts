import { AgentError } from '../../agent/errors/agent-error.ts';
import { signDocument } from '../../agent/wire/document.ts';
import { encodeEnvelope, type Signer } from '../../agent/wire/dsse.ts';
import type { Opened } from '../../agent/trust/open-document.ts';
import { openRevocations, revokedKeyids } from '../../agent/trust/revocations.ts';
import { ROLES, type Role, type Root } from '../../agent/wire/schemas/root.ts';
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
 * stands, and nothing is published.
 *
 * @throws usage (the key is a root key only), the errors of openRevocations: nothing is published that appliances would refuse
 */
export function revokeKey(
  { store, trust, now }: Records,
  what: { readonly keyid: string; readonly reason: string },
  signers: readonly Signer[],
): { published: Opened<'revocations'> | null } {
  const { root } = trust.root();
  const roles = ROLES.filter((role) => root.roles[role].keyids.includes(what.keyid));
  if (roles.every((role) => role === 'root')) {
    throw new AgentError('usage', 'a key of role root is replaced by a new trust root, not revoked');
  }
  const current = trust.revocations();
  const keys = current?.value.keys ?? [];
  if (keys.some(({ keyid }) => keyid === what.keyid)) return { published: null };
  const at = now();
  const envelope = signDocument(
    'revocations',
    {
      schema: 'compliance-agent/revocations/v1',
      partner_id: root.partner_id,
      version: (current?.version ?? 0) + 1,
      issued_at: at,
      keys: [...keys, { keyid: what.keyid, revoked_at: at, reason: what.reason }],
      origins: current?.value.origins ?? [],
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
  return { published };
}
