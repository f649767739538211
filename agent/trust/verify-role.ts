// Which persons validly signed an envelope in a role. Everything that is acted upon passes through here.
import { AgentError } from '../errors/agent-error.ts';
import { pae, type Envelope } from '../wire/dsse.ts';
import type { Role, Root } from '../wire/schemas/root.ts';
import { verifyByOne, verifyStrict } from './verify-signature.ts';

/**
 * Roles of keys that lie in Central Command and sign its answers, once a minute. What they sign carries no power: orders and
 * documents in an answer have signatures of their own. One implementation judges them, every other role needs two.
 */
const ANSWERING: ReadonlySet<Role> = new Set<Role>(['timestamp', 'receipt']);

export interface RoleOptions {
  /** Keys that count no more, whatever the root says. */
  readonly revokedKeyids?: ReadonlySet<string> | undefined;
  /** The site the document is for. A key limited to sites counts only where this names one of them. */
  readonly siteId?: string | undefined;
  /** Raises the threshold of the role; a lower value than the role's has no effect. */
  readonly threshold?: number | undefined;
  /** Where, for error messages. */
  readonly place?: string | undefined;
}

/** Valid signatures under keys of the role, by whether they count. Lists are sorted and hold no duplicates. */
export interface Tally {
  /** Persons who signed with a key that counts. One person with many keys is one person. */
  readonly persons: readonly string[];
  readonly keyids: readonly string[];
  /** Valid, but the key is revoked. */
  readonly revoked: readonly string[];
  /** Valid, but the key may not sign for this site. */
  readonly outOfScope: readonly string[];
}

/**
 * Judges every signature of the envelope. A keyid only says which key to try: a signature under a keyid that the role does
 * not have, or that does not verify, counts for nothing and spoils nothing (as in TUF section 5.3.4 and DSSE).
 */
export function tallySignatures(root: Root, role: Role, envelope: Envelope, o: RoleOptions = {}): Tally {
  const roleKeyids = new Set(root.roles[role].keyids);
  const keys = new Map(root.keys.map((key) => [key.keyid, key]));
  const data = pae(envelope.payloadType, envelope.payload);
  const persons = new Set<string>();
  const keyids = new Set<string>();
  const revoked = new Set<string>();
  const outOfScope = new Set<string>();
  const verify = ANSWERING.has(role) ? verifyByOne : verifyStrict;
  for (const signature of envelope.signatures) {
    const key = roleKeyids.has(signature.keyid) ? keys.get(signature.keyid) : undefined;
    if (key === undefined || !verify(key.spki, data, signature.sig)) continue;
    if (o.revokedKeyids?.has(key.keyid) === true) revoked.add(key.keyid);
    else if (key.sites !== undefined && (o.siteId === undefined || !key.sites.includes(o.siteId))) {
      outOfScope.add(key.keyid);
    } else {
      persons.add(key.person);
      keyids.add(key.keyid);
    }
  }
  const sorted = (set: Set<string>): string[] => [...set].sort();
  return { persons: sorted(persons), keyids: sorted(keyids), revoked: sorted(revoked), outOfScope: sorted(outOfScope) };
}

/**
 * Requires that enough distinct persons of the role signed.
 *
 * @throws signature_invalid when nobody did, threshold_not_met when too few did
 */
export function verifyRole(
  root: Root,
  role: Role,
  envelope: Envelope,
  o: RoleOptions = {},
): { persons: readonly string[]; keyids: readonly string[] } {
  const tally = tallySignatures(root, role, envelope, o);
  const needed = Math.max(root.roles[role].threshold, o.threshold ?? 1);
  const signed = tally.persons.length;
  const place = o.place === undefined ? {} : { place: o.place };
  if (signed === 0) {
    throw new AgentError('signature_invalid', `${nobody(role, tally)} (root version ${root.version})`, place);
  }
  if (signed < needed) {
    throw new AgentError('threshold_not_met', `${signed} of ${needed} needed persons of role ${role} signed`, {
      ...place,
      details: { role, signed, needed },
    });
  }
  return { persons: tally.persons, keyids: tally.keyids };
}

function nobody(role: Role, tally: Tally): string {
  if (tally.revoked.length > 0) return `only revoked keys of role ${role} signed`;
  if (tally.outOfScope.length > 0) return `only keys of role ${role} signed that are limited to other sites`;
  return `no valid signature of role ${role}`;
}
