// Envelopes for the vectors, made without the code that the vectors are for.
import { createHash, createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto';

export interface VectorKey {
  readonly keyid: string;
  /** Base64 DER SPKI. */
  readonly spki: string;
  readonly privateKey: KeyObject;
}

/** The Ed25519 key whose seed is SHA-256 of `compliance-agent vectors: <name>`. */
export function vectorKey(name: string): VectorKey {
  const seed = createHash('sha256').update(`compliance-agent vectors: ${name}`).digest();
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return { keyid: hexDigest(spki), spki: spki.toString('base64'), privateKey };
}

/** The fields of an envelope around `payload`, signed by each key. */
export function envelope(payloadType: string, payload: string, keys: readonly VectorKey[]) {
  const body = Buffer.from(payload);
  const head = `DSSEv1 ${payloadType.length} ${payloadType} ${body.length} `;
  return {
    payload: body.toString('base64'),
    payloadType,
    signatures: keys.map((key) => ({
      keyid: key.keyid,
      sig: sign(null, Buffer.concat([Buffer.from(head), body]), key.privateKey).toString('base64'),
    })),
  };
}

export function signedLine(payloadType: string, payload: string, ...keys: VectorKey[]): string {
  return JSON.stringify(envelope(payloadType, payload, keys));
}

export function hexDigest(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** RFC 6962 leaf hash of a line. */
export function leaf(line: string): Buffer {
  return createHash('sha256').update(Buffer.of(0)).update(line).digest();
}

/** RFC 6962 section 2.1, as it is defined there. */
export function treeRoot(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return createHash('sha256').digest();
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  const hash = createHash('sha256').update(Buffer.of(1));
  return hash
    .update(treeRoot(leaves.slice(0, k)))
    .update(treeRoot(leaves.slice(k)))
    .digest();
}

/** Replaces the one place where `from` stands. A vector whose change hits nothing would prove nothing. */
export function replaceOnce(text: string, from: string, to: string): string {
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`"${from}" stands ${parts.length - 1} times in ${text.slice(0, 200)}`);
  return parts.join(to);
}
