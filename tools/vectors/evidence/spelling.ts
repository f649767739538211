// Whole logs whose last line is spelled in another way, or signed at the edges of Ed25519.
import { createHash } from 'node:crypto';
import { hashes, Point } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { ALERT_BODY, statement } from '../samples-entries.ts';
import { hexDigest, replaceOnce, signedLine, vectorKey } from '../signing.ts';
import {
  bad,
  device,
  ENTRY_TYPE,
  good,
  last,
  logOf,
  prevOf,
  ROOT_SHA256,
  sign,
  whole,
  type EvidenceFile,
} from './whole.ts';

hashes.sha512 = sha512;
/** Order of the prime-order group (RFC 8032 section 5.1), and a point of order 8. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const T8 = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');

const before = logOf(3);
const TEXT = JSON.stringify(statement('alert', ALERT_BODY, 3, prevOf(before)));
const THREE_AND_ONE = whole('a log of four entries', [...before, sign(JSON.parse(TEXT) as object)]);
const E3 = THREE_AND_ONE.lines[3]!;
const UNUSUAL = whole('a log with text beyond ASCII', [
  ...before,
  signedLine(ENTRY_TYPE, TEXT.replace('free some space', 'Ærlig talt: 🩺 / \\" \\\\ \u007e'), device),
]);

/** The last line of the positive with its payload spelled otherwise and well signed. */
const payload = (from: string, to: string): { lines: string[] } => ({
  lines: last(THREE_AND_ONE.lines, signedLine(ENTRY_TYPE, replaceOnce(TEXT, from, to), device)),
});
/** The last line itself spelled otherwise: its signature still fits its payload. */
const line = (from: string, to: string): { lines: string[] } => ({
  lines: last(THREE_AND_ONE.lines, replaceOnce(E3, from, to)),
});
const lineOf = (text: string): { lines: string[] } => ({ lines: last(THREE_AND_ONE.lines, text) });

/** Names may come in any order; the bytes are what is signed. */
const ORDER = whole('a payload with its fields in another order', [
  ...before,
  signedLine(
    ENTRY_TYPE,
    replaceOnce(TEXT, `"seq":3,"prev":"${prevOf(before)}"`, `"prev":"${prevOf(before)}","seq":3`),
    device,
  ),
]);

export function spellingVectors(): EvidenceFile {
  const parsed = JSON.parse(E3) as {
    payload: string;
    payloadType: string;
    signatures: { keyid: string; sig: string }[];
  };
  const [signature] = parsed.signatures;
  const { keyid, sig } = signature!;
  const withSig = (text: string): { lines: string[] } => line(sig, text);
  const deep = `${'{"a":'.repeat(14)}1${'}'.repeat(14)}`;
  const f = (name: string, change: { lines: string[] }, code: Parameters<typeof bad>[3]) =>
    bad(name, THREE_AND_ONE, change, code, 3);
  const cases = [
    good(THREE_AND_ONE),
    good(UNUSUAL),
    good(ORDER),
    f(
      'a key twice in the payload, both times the same',
      payload('"severity":"medium"', '"severity":"medium","severity":"medium"'),
      'json_not_strict',
    ),
    f(
      'a key twice in the payload, once hidden',
      payload('"severity":"medium"', '"severity":"low","severity":"medium"'),
      'json_not_strict',
    ),
    f(
      'the payload serialised again with spaces',
      payload('"severity":"medium"', '"severity": "medium"'),
      'json_not_strict',
    ),
    f(
      'a line feed after the payload',
      payload('"details":{"free_percent":3}}}', '"details":{"free_percent":3}}}\n'),
      'json_not_strict',
    ),
    f('a byte order mark before the payload', payload('{"_type"', '\ufeff{"_type"'), 'json_not_strict'),
    f('a number with a fraction', payload('"free_percent":3', '"free_percent":3.5'), 'json_not_strict'),
    f('a number with a fraction of zero', payload('"free_percent":3', '"free_percent":3.0'), 'json_not_strict'),
    f('a number with an exponent', payload('"free_percent":3', '"free_percent":3e0'), 'json_not_strict'),
    f('minus zero', payload('"free_percent":3', '"free_percent":-0'), 'json_not_strict'),
    f('a number beyond 2^53 − 1', payload('"free_percent":3', '"free_percent":9007199254740992'), 'json_not_strict'),
    f('not a number', payload('"free_percent":3', '"free_percent":NaN'), 'json_not_strict'),
    f('a needless escape', payload('free some', 'free\\u0020some'), 'json_not_strict'),
    f('an escaped slash', payload('/evidence/v1","predicate"', '\\/evidence/v1","predicate"'), 'json_not_strict'),
    f('half a surrogate pair', payload('free some', 'free \\ud83e some'), 'json_not_strict'),
    f('a name made of digits', payload('"free_percent":3', '"3":3'), 'json_not_strict'),
    f('a name that JavaScript gives a meaning', payload('"free_percent":3', '"__proto__":3'), 'json_not_strict'),
    f('facts seventeen levels deep', payload('"free_percent":3', `"free_percent":${deep}`), 'json_too_deep'),
    f('a payload that is no JSON', lineOf(signedLine(ENTRY_TYPE, 'pass', device)), 'json_not_strict'),
    f('an empty payload', lineOf(signedLine(ENTRY_TYPE, '', device)), 'json_not_strict'),
    f('an empty line', lineOf(''), 'json_not_strict'),
    f('a line that is no envelope', lineOf('{}'), 'envelope_invalid'),
    f('a line that is a list', lineOf('[]'), 'envelope_invalid'),
    f('a web page', lineOf('<html>'), 'json_not_strict'),
    f('a space in the line', line('"payloadType":', '"payloadType": '), 'json_not_strict'),
    f('a space after the line', lineOf(`${E3} `), 'json_not_strict'),
    f('a carriage return after the line', lineOf(`${E3}\r`), 'json_not_strict'),
    f('an unsigned field beside the payload', line('"signatures":', '"note":"x","signatures":'), 'envelope_invalid'),
    f('an unsigned field beside the signature', line('"sig":', '"alg":"ed25519","sig":'), 'envelope_invalid'),
    f('the payload twice', line('{"payload":', `{"payload":"${parsed.payload}","payload":`), 'json_not_strict'),
    f(
      'the fields of the envelope in another order',
      lineOf(
        JSON.stringify({ payloadType: parsed.payloadType, payload: parsed.payload, signatures: parsed.signatures }),
      ),
      'envelope_invalid',
    ),
    f('no signatures', lineOf(JSON.stringify({ ...parsed, signatures: [] })), 'envelope_invalid'),
    f(
      'the same signature twice',
      lineOf(JSON.stringify({ ...parsed, signatures: [signature, signature] })),
      'envelope_invalid',
    ),
    f('a keyid in capitals', line(keyid, keyid.toUpperCase()), 'envelope_invalid'),
    f('a keyid that is too short', line(keyid, keyid.slice(2)), 'envelope_invalid'),
    f('the signature in the URL alphabet', withSig(`_${sig.slice(1)}`), 'base64_invalid'),
    f('the signature without padding', withSig(sig.replace(/=+$/, '')), 'base64_invalid'),
    f('stray bits at the end of the signature', withSig(strayBits(sig)), 'base64_invalid'),
    f('the payload without padding', lineOf(unpadded(TEXT)), 'base64_invalid'),
    f('an empty signature', withSig(''), 'envelope_invalid'),
    f('a signature of 63 bytes', withSig(cut(sig, 63)), 'signature_invalid'),
    f('a signature of zeros', withSig(Buffer.alloc(64).toString('base64')), 'signature_invalid'),
    f(
      'another payloadType, well signed',
      lineOf(signedLine('application/vnd.compliance-agent.order+json', TEXT, device)),
      'payload_type_mismatch',
    ),
    f(
      'another payloadType than the signed one',
      line(ENTRY_TYPE, 'application/vnd.in-toto+yaml'),
      'payload_type_mismatch',
    ),
    f('a payloadType that is none', line(ENTRY_TYPE, 'text/plain'), 'envelope_invalid'),
    f('a signature over the payload alone, without its type', lineOf(bare()), 'signature_invalid'),
    f('R with a point of order 8 added', withSig(edge('torsion')), 'signature_invalid'),
    f('S with the order of the group added', withSig(edge('S + L')), 'signature_invalid'),
    f('a line over 65,535 bytes', payload('free some space', 'x'.repeat(50_000)), 'json_too_large'),
  ];
  return { root_sha256: ROOT_SHA256, cases };
}

function strayBits(sig: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const at = sig.length - 3;
  return `${sig.slice(0, at)}${alphabet[alphabet.indexOf(sig[at]!) + 1] ?? 'B'}${sig.slice(at + 1)}`;
}

function cut(sig: string, bytes: number): string {
  return Buffer.from(sig, 'base64').subarray(0, bytes).toString('base64');
}

/** The text is made one or two characters longer where its base64 would need no padding. */
function unpadded(text: string): string {
  let padded = text;
  while (Buffer.byteLength(padded) % 3 === 0) padded = replaceOnce(padded, 'free some space', 'free some space!');
  return signedLine(ENTRY_TYPE, padded, device).replace(/=+","payloadType"/, '","payloadType"');
}

function bare(): string {
  const parsed = JSON.parse(E3) as object;
  const sig = rawSign(Buffer.from(TEXT), Point.ZERO, 0n);
  return JSON.stringify({ ...parsed, signatures: [{ keyid: device.keyid, sig }] });
}

function edge(what: 'torsion' | 'S + L'): string {
  const pae = Buffer.from(`DSSEv1 ${ENTRY_TYPE.length} ${ENTRY_TYPE} ${Buffer.byteLength(TEXT)} ${TEXT}`);
  return what === 'torsion' ? rawSign(pae, T8, 0n) : rawSign(pae, Point.ZERO, L);
}

/** Signs with the device's scalar, `added` to R and `s` to S: correct where both are zero (RFC 8032 section 5.1.6). */
function rawSign(message: Buffer, added: Point, s: bigint): string {
  const seed = Buffer.from(hexDigest('compliance-agent vectors: device'), 'hex');
  const digest = createHash('sha512').update(seed).digest();
  const clamped = Buffer.from(digest.subarray(0, 32));
  clamped[0]! &= 248;
  clamped[31] = (clamped[31]! & 127) | 64;
  const nonce = number(createHash('sha512').update('evidence vectors').update(message).digest()) % L;
  const key = Buffer.from(vectorKey('device').spki, 'base64').subarray(-32);
  const r = Point.BASE.multiply(nonce).add(added).toBytes();
  const k = number(createHash('sha512').update(r).update(key).update(message).digest()) % L;
  const S = ((nonce + k * number(clamped)) % L) + s;
  const bytes = Buffer.from(S.toString(16).padStart(64, '0'), 'hex').reverse();
  return Buffer.concat([r, bytes]).toString('base64');
}

function number(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}
