// What a trust root must fulfil beyond its schema and its signatures (docs/formats/root.md).
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { keyidOf } from '../wire/keys.ts';
import type { Role, Root } from '../wire/schemas/root.ts';
import { centralCaProblem } from './central-cas.ts';
import { assertStrictKey } from './verify-signature.ts';

/** Signed by people, with keys that no server holds. */
export const OFFLINE_ROLES = ['root', 'content', 'operator'] as const satisfies readonly Role[];
/** Signed by Central Command's own keys. */
export const ONLINE_ROLES = [
  'registrar',
  'order',
  'timestamp',
  'witness',
  'receipt',
] as const satisfies readonly Role[];
const ROLES_WITH_SITES: ReadonlySet<Role> = new Set(['order', 'operator']);

/** A root is valid for at most a year. */
export const MAX_ROOT_LIFETIME_S = 366 * 86_400;

/**
 * Refuses a root that contradicts itself. Does not look at signatures.
 *
 * @throws root_invalid
 */
export function assertConsistentRoot(root: Root, place?: string): void {
  const problem =
    timeProblem(root) ??
    personProblem(root) ??
    keyProblem(root) ??
    roleProblem(root) ??
    pastKeyProblem(root) ??
    centralCaProblem(root.central_cas ?? []);
  if (problem !== null) throw rootInvalid(problem, place);
}

export function rootInvalid(sentence: string, place?: string): AgentError<'root_invalid'> {
  return new AgentError('root_invalid', sentence, place === undefined ? {} : { place });
}

type Problem = string | null;

function timeProblem(root: Root): Problem {
  if (root.expires_at <= root.issued_at) return 'expires_at is not after issued_at';
  if (root.expires_at - root.issued_at > MAX_ROOT_LIFETIME_S) return 'it is valid for more than 366 days';
  return null;
}

function personProblem(root: Root): Problem {
  const twice = firstDuplicate(root.persons.map((person) => person.id));
  return twice === null ? null : `person ${twice} stands twice`;
}

function keyProblem(root: Root): Problem {
  const persons = new Set(root.persons.map((person) => person.id));
  for (const key of root.keys) {
    const fault = keyFault(key.keyid, key.spki);
    if (fault !== null) return fault;
    if (!persons.has(key.person))
      return `key ${short(key.keyid)} belongs to ${key.person}, who is no person of this root`;
    const roles = rolesOfKey(root, key.keyid);
    if (key.sites !== undefined && roles.some((role) => !ROLES_WITH_SITES.has(role))) {
      return `key ${short(key.keyid)} is limited to sites, which only order and operator keys can be`;
    }
    const online = roles.filter((role) => isOnline(role));
    if (online.length > 0 && roles.length > 1)
      return `key ${short(key.keyid)} serves ${roles.join(' and ')}; an online key has one role`;
  }
  const twice = firstDuplicate(root.keys.map((key) => key.keyid));
  return twice === null ? null : `key ${short(twice)} stands twice`;
}

function roleProblem(root: Root): Problem {
  const holder = new Map(root.keys.map((key) => [key.keyid, key.person]));
  const kindOf = new Map(root.persons.map((person) => [person.id, person.kind]));
  for (const role of [...OFFLINE_ROLES, ...ONLINE_ROLES]) {
    const { keyids, threshold } = root.roles[role];
    const twice = firstDuplicate(keyids);
    if (twice !== null) return `role ${role} names key ${short(twice)} twice`;
    const unknown = keyids.find((keyid) => !holder.has(keyid));
    if (unknown !== undefined) return `role ${role} names key ${short(unknown)}, which is not in keys`;
    const persons = new Set(keyids.map((keyid) => holder.get(keyid)!));
    if (threshold > persons.size) return `role ${role} needs ${threshold} persons and has ${persons.size}`;
    const kind = isOnline(role) ? 'service' : 'human';
    const other = [...persons].find((person) => kindOf.get(person) !== kind);
    if (other !== undefined) return `role ${role} is held by ${other}, who is not of kind ${kind}`;
  }
  const alone = root.roles.operator.threshold === 1;
  if (alone && root.single_approver === undefined) return 'one operator suffices, but single_approver is missing';
  if (!alone && root.single_approver !== undefined)
    return 'single_approver stands beside an operator threshold above 1';
  return null;
}

function pastKeyProblem(root: Root): Problem {
  const current = new Set(root.keys.map((key) => key.keyid));
  for (const past of root.past_keys) {
    const fault = keyFault(past.keyid, past.spki);
    if (fault !== null) return fault;
    if (current.has(past.keyid)) return `past key ${short(past.keyid)} is still in use`;
    if (past.valid_until < past.valid_from) return `past key ${short(past.keyid)} ends before it begins`;
  }
  const twice = firstDuplicate(root.past_keys.map((past) => past.keyid));
  return twice === null ? null : `past key ${short(twice)} stands twice`;
}

function keyFault(keyid: string, spki: string): Problem {
  if (keyidOf(spki) !== keyid) return `keyid ${short(keyid)} is not the SHA-256 of its key`;
  try {
    assertStrictKey(spki);
    return null;
  } catch (error) {
    if (isAgentError(error)) return `key ${short(keyid)} is not a sound Ed25519 key: ${error.message}`;
    throw error;
  }
}

function rolesOfKey(root: Root, keyid: string): Role[] {
  return [...OFFLINE_ROLES, ...ONLINE_ROLES].filter((role) => root.roles[role].keyids.includes(keyid));
}

function isOnline(role: Role): boolean {
  return (ONLINE_ROLES as readonly Role[]).includes(role);
}

/** The first value that stands twice, or null. */
export function firstDuplicate(values: readonly string[]): string | null {
  const seen = new Set<string>();
  for (const value of values) {
    if (seen.has(value)) return value;
    seen.add(value);
  }
  return null;
}

function short(keyid: string): string {
  return `${keyid.slice(0, 12)}…`;
}
