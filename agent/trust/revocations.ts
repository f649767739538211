// Revocations: keys and log origins that count no more. Signed by `content`, versions strictly rising.
import { AgentError } from '../errors/agent-error.ts';
import type { Envelope } from '../wire/dsse.ts';
import type { Revocations, Root } from '../wire/schemas/root.ts';
import { openDocument, type Opened } from './open-document.ts';
import { assertRising, assertRootInForce, type DocumentOptions } from './rising-version.ts';
import { firstDuplicate } from './root-consistency.ts';

/**
 * Verifies a list of revocations. Each list names all that is revoked, not only what is new.
 *
 * @throws the errors of openDocument; root_expired; revocations_version; revocations_invalid
 */
export function openRevocations(root: Root, source: string | Envelope, o: DocumentOptions): Opened<'revocations'> {
  assertRootInForce(root, o);
  const opened = openDocument(root, 'content', 'revocations', source, o);
  const list = opened.value;
  const problem = revocationsProblem(root, list);
  if (problem !== null) {
    throw new AgentError('revocations_invalid', problem, o.place === undefined ? {} : { place: o.place });
  }
  assertRising('revocations_version', list.version, o);
  return opened;
}

/** Keyids that count no more. */
export function revokedKeyids(list: Revocations | null): ReadonlySet<string> {
  return new Set(list?.keys.map((key) => key.keyid));
}

function revocationsProblem(root: Root, list: Revocations): string | null {
  if (list.partner_id !== root.partner_id) return 'the revocations are of another partner';
  const key = firstDuplicate(list.keys.map((k) => k.keyid));
  if (key !== null) return `key ${key} stands twice`;
  const origin = firstDuplicate(list.origins.map((o) => o.origin));
  return origin === null ? null : `origin ${origin} stands twice`;
}
