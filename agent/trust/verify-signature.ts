// Signatures on what is acted upon (orders, roots, content, policy, bindings): valid only if two implementations accept.
// They differ at the edges of Ed25519, and what lies between them is exactly what an attacker can play with.
import { hashes, Point, verify } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { ed25519RawFromSpki } from '../wire/keys.ts';
import { verifyWithNode } from '../wire/node-signature.ts';

hashes.sha512 = sha512;

const SIGNATURE_BYTES = 64;
/** Keys whose point was checked (about 1 ms each); the oldest goes first. */
const CHECKED_KEYS = 256;
const checkedKeys = new Set<string>();

/**
 * True only if the key is strict (see assertStrictKey), R is not of small order, and both @noble/ed25519 (RFC 8032 rules,
 * not ZIP 215) and node:crypto accept the signature. Never throws for bad keys or signatures.
 *
 * What each alone would let pass (test/vectors/ed25519/edge-cases.json): noble takes R with a torsion component or of
 * small order; both take keys with a torsion component, node:crypto where the challenge cancels it.
 *
 * @param spki base64 of the DER SPKI
 */
export function verifyStrict(spki: string, data: Uint8Array, sig: Uint8Array): boolean {
  if (sig.length !== SIGNATURE_BYTES) return false;
  try {
    assertStrictKey(spki);
    return (
      verifyWithNode(spki, data, sig) &&
      !isSmallOrder(sig.subarray(0, 32)) &&
      verify(sig, data, ed25519RawFromSpki(spki), { zip215: false })
    );
  } catch (error) {
    if (isAgentError(error) && error.code !== 'internal') return false;
    throw error;
  }
}

/**
 * As verifyStrict with node:crypto alone, for answers and receipts of Central Command: a tenth of the time, and as strict on
 * paper. Under a key of the prime-order group OpenSSL, which compares encodings and multiplies by no cofactor, takes no R
 * outside of that group.
 */
export function verifyByOne(spki: string, data: Uint8Array, sig: Uint8Array): boolean {
  try {
    assertStrictKey(spki);
    return verifyWithNode(spki, data, sig);
  } catch (error) {
    if (isAgentError(error) && error.code !== 'internal') return false;
    throw error;
  }
}

/**
 * Refuses public keys that are no canonical encoding of a point in the prime-order group: with small-order or mixed keys
 * one signature can fit many messages, or verify here and not there.
 *
 * @throws base64_invalid | key_invalid
 */
export function assertStrictKey(spki: string, place?: string): void {
  if (checkedKeys.has(spki)) return;
  const raw = ed25519RawFromSpki(spki);
  if (!isPrimeOrderPoint(raw)) {
    throw new AgentError(
      'key_invalid',
      'the key is not a point of the prime-order group',
      place === undefined ? {} : { place },
    );
  }
  if (checkedKeys.size === CHECKED_KEYS) checkedKeys.delete(checkedKeys.values().next().value!);
  checkedKeys.add(spki);
}

function isPrimeOrderPoint(raw: Uint8Array): boolean {
  const point = decode(raw);
  return point !== null && !point.isSmallOrder() && point.isTorsionFree();
}

function isSmallOrder(raw: Uint8Array): boolean {
  return decode(raw)?.isSmallOrder() === true;
}

/** The point, or null where the bytes are not the canonical encoding of one. */
function decode(raw: Uint8Array): Point | null {
  try {
    return Point.fromBytes(raw, false);
  } catch {
    return null;
  }
}
