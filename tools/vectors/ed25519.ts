// Ed25519 signatures at the edges where implementations differ, made with point arithmetic from a secret scalar that no
// library would use this way. What is expected of each stands beside it, by hand.
import { createHash } from 'node:crypto';
import { etc, hashes, Point } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';

hashes.sha512 = sha512;

/** Order of the prime-order group (RFC 8032 section 5.1). */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
/** A point of order 8 (its encoding is listed in many places, e.g. libsodium's blocklist). */
const T8 = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
const MESSAGE = 'restart_agent';

export interface EdgeCase {
  readonly name: string;
  /** Raw public key, message and signature in hex. */
  readonly key: string;
  readonly message: string;
  readonly signature: string;
  /** What the strict verifier, node:crypto alone and @noble/ed25519 alone (zip215: false) must say. */
  readonly strict: boolean;
  readonly node: boolean;
  readonly noble: boolean;
}

interface Parts {
  readonly key: Uint8Array;
  readonly message: Uint8Array;
  readonly R: Uint8Array;
  readonly S: bigint;
}

const secret = scalar('secret');
const nonce = scalar('nonce');
const A = Point.BASE.multiply(secret);
const R = Point.BASE.multiply(nonce);

export function edgeCases(): EdgeCase[] {
  const message = Buffer.from(MESSAGE);
  const good = sign(A, R, message);
  const torsion = [1n, 2n, 4n].map((n) => ({ order: 8n / n, point: n === 1n ? T8 : T8.multiply(n, false) }));
  return [
    edge('a good signature', good, { strict: true, node: true, noble: true }),
    edge('S + L', { ...good, S: good.S + L }, { strict: false, node: false, noble: false }),
    edge(
      'S with its highest bit set',
      { ...good, S: good.S + (1n << 255n) },
      { strict: false, node: false, noble: false },
    ),
    ...torsion.map(({ order, point }) =>
      edge(`R plus a point of order ${order}`, sign(A, R.add(point), message), {
        strict: false,
        node: false,
        noble: true,
      }),
    ),
    ...torsion.map(({ order, point }) => {
      const key = A.add(point);
      const m = messageWithChallenge(key, R, (k) => k % 8n === 0n);
      return edge(`key plus a point of order ${order}, challenge a multiple of 8`, sign(key, R, m), {
        strict: false,
        node: true,
        noble: true,
      });
    }),
    ...torsion.map(({ order, point }) => {
      const key = A.add(point);
      const m = messageWithChallenge(key, R, (k) => k % 8n === 1n);
      return edge(`key plus a point of order ${order}, challenge 1 modulo 8`, sign(key, R, m), {
        strict: false,
        node: false,
        noble: true,
      });
    }),
    ...torsion.map(({ order, point }) => {
      const m = messageWithChallenge(point, R, (k) => k % 8n === 0n);
      return edge(
        `a key of order ${order}, which fits one message in ${order}`,
        { key: point.toBytes(), message: m, R: R.toBytes(), S: nonce },
        {
          strict: false,
          node: false,
          noble: false,
        },
      );
    }),
    edge(
      'the key of order 1, which fits every message',
      { key: Point.ZERO.toBytes(), message, R: R.toBytes(), S: nonce },
      {
        strict: false,
        node: false,
        noble: false,
      },
    ),
    edge(
      'the key of order 1 in a second encoding (y + p)',
      { key: noncanonicalIdentity(), message, R: R.toBytes(), S: nonce },
      {
        strict: false,
        node: false,
        noble: false,
      },
    ),
    edge('R of order 1', sign(A, Point.ZERO, message, 0n), { strict: false, node: false, noble: true }),
    edge('R of order 1 in a second encoding (y + p)', signWithBytes(A, noncanonicalIdentity(), message, 0n), {
      strict: false,
      node: false,
      noble: false,
    }),
    ...torsion.map(({ order, point }) =>
      edge(`R of order ${order}`, sign(A, point, message, 0n), { strict: false, node: false, noble: true }),
    ),
    edge(
      'all zero',
      { key: A.toBytes(), message, R: new Uint8Array(32), S: 0n },
      { strict: false, node: false, noble: false },
    ),
    edge(
      'the signature of another message',
      { ...good, message: Buffer.from('reboot') },
      { strict: false, node: false, noble: false },
    ),
  ];
}

/** S such that S·B = R + k·A up to torsion, as the holder of the secret can make it for any key and R with torsion added. */
function sign(key: Point, r: Point, message: Uint8Array, n = nonce): Parts {
  return signWithBytes(key, r.toBytes(), message, n);
}

function signWithBytes(key: Point, r: Uint8Array, message: Uint8Array, n: bigint): Parts {
  const k = challenge(r, key.toBytes(), message);
  return { key: key.toBytes(), message, R: r, S: (n + k * secret) % L };
}

/** The first message of a count whose challenge has a wanted property. */
function messageWithChallenge(key: Point, r: Point, wanted: (k: bigint) => boolean): Uint8Array {
  for (let n = 0; ; n++) {
    const message = Buffer.from(`${MESSAGE} ${n}`);
    if (wanted(challenge(r.toBytes(), key.toBytes(), message))) return message;
  }
}

function challenge(r: Uint8Array, key: Uint8Array, message: Uint8Array): bigint {
  return littleEndian(createHash('sha512').update(r).update(key).update(message).digest()) % L;
}

function edge(name: string, parts: Parts, expected: Pick<EdgeCase, 'strict' | 'node' | 'noble'>): EdgeCase {
  const s = Buffer.from(parts.S.toString(16).padStart(64, '0'), 'hex').reverse();
  return {
    name,
    key: etc.bytesToHex(parts.key),
    message: etc.bytesToHex(Uint8Array.from(parts.message)),
    signature: etc.bytesToHex(parts.R) + s.toString('hex'),
    ...expected,
  };
}

/** y = 1 + p, which a careless decoder takes for 1. */
function noncanonicalIdentity(): Uint8Array {
  return Buffer.from('eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'hex');
}

function scalar(seed: string): bigint {
  return littleEndian(createHash('sha512').update(`ed25519 edge cases: ${seed}`).digest()) % L;
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}
