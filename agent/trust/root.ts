// `trust` decides what a signature is worth: the root, its roles and persons, and the documents they sign. Pure: values in,
// values out; callers fetch and persist.
//
// The root is pinned by its digest, which comes from outside (contract, stick, public page), and replaced only by its direct
// successor, signed under the thresholds of both (docs/formats/root.md).
import { AgentError } from '../errors/agent-error.ts';
import { parseDocument, payloadDigest } from '../wire/document.ts';
import type { Root } from '../wire/schemas/root.ts';
import { readSource } from './open-document.ts';
import { assertConsistentRoot, rootInvalid } from './root-consistency.ts';
import { verifyRole } from './verify-role.ts';

export interface PinnedRoot {
  readonly root: Root;
  /** Hex SHA-256 of the payload. */
  readonly digest: string;
  /** The envelope as one JSON line without LF. */
  readonly line: string;
}

/**
 * Reads a root and requires that it is consistent and signed under its own threshold. Whether it is the *right* root only
 * `expectedDigest` can say: anybody can sign a root of their own.
 *
 * A root names the keys that sign it, so here the payload is parsed before it is verified. What comes of it is nothing but
 * the question whether those keys signed these bytes.
 *
 * @throws the errors of parseEnvelope and parseDocument; payload_type_mismatch; root_digest_mismatch; root_invalid;
 *   signature_invalid; threshold_not_met
 */
export function parseRoot(
  line: string,
  o: { expectedDigest?: string | undefined; place?: string | undefined } = {},
): PinnedRoot {
  const { envelope } = readSource('root', line, o.place);
  const digest = payloadDigest(envelope);
  const place = o.place === undefined ? {} : { place: o.place };
  if (o.expectedDigest !== undefined && digest !== o.expectedDigest) {
    throw new AgentError('root_digest_mismatch', `the root has the digest ${digest}`, place);
  }
  const root = parseDocument('root', envelope.payload, o.place);
  assertConsistentRoot(root, o.place);
  verifyRole(root, 'root', envelope, { place: o.place });
  return { root, digest, line };
}

/**
 * The next root: exactly version N+1 of the same partner, under the root thresholds of N and of N+1. Expiry does not matter
 * here (an appliance walks through expired roots to reach the current one), and there is no way around a missing version.
 *
 * @throws root_version; root_invalid; the errors of parseRoot
 */
export function acceptSuccessor(pinned: PinnedRoot, line: string, place?: string): PinnedRoot {
  const { envelope } = readSource('root', line, place);
  // The pinned root judges first: bytes that its holders did not sign are not looked into.
  verifyRole(pinned.root, 'root', envelope, { place });
  const next = parseRoot(line, { place });
  const old = pinned.root;
  if (next.root.version !== old.version + 1) {
    throw new AgentError('root_version', `root ${next.root.version} does not follow root ${old.version}`, {
      ...(place === undefined ? {} : { place }),
      details: { pinned: old.version, offered: next.root.version },
    });
  }
  const problem = continuityProblem(old, next.root);
  if (problem !== null) throw rootInvalid(problem, place);
  return next;
}

/** What a successor may not change, so that logs and old evidence stay checkable. */
function continuityProblem(old: Root, next: Root): string | null {
  if (next.partner_id !== old.partner_id) return 'the successor is of another partner';
  if (next.log_domain !== old.log_domain) return 'the successor names another log domain';
  for (const past of old.past_keys) {
    const kept = next.past_keys.find((key) => key.keyid === past.keyid);
    if (kept === undefined) return 'the successor drops a past key';
    if (kept.role !== past.role || kept.spki !== past.spki) return 'the successor changes a past key';
    if (past.status === 'compromised' && kept.status !== 'compromised') return 'a compromised key stays compromised';
  }
  for (const role of ['witness', 'receipt'] as const) {
    for (const keyid of old.roles[role].keyids) {
      const stays = next.roles[role].keyids.includes(keyid);
      const past = next.past_keys.some((key) => key.keyid === keyid && key.role === role);
      if (!stays && !past) return `the successor drops a ${role} key without naming it among past_keys`;
    }
  }
  return null;
}
