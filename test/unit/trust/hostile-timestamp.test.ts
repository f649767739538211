// Timestamps by whoever makes both the token and the certificate in it: the verifier has a verdict for each, never a crash.
import { createHash } from 'node:crypto';
import { describe, it } from 'vitest';
import { openTimestamp } from '../../../agent/trust/open-timestamp.ts';
import { der, derInteger, derOid, TAG } from '../../../agent/wire/der.ts';
import { expectCode } from '../../support/expect-code.ts';

const DATA = 'logs.example/box/1\n7\n';
const SHA256 = '2.16.840.1.101.3.4.2.1';
const TST_INFO = '1.2.840.113549.1.9.16.1.4';
/** Self-made certificates: an Ed25519 key, which takes no digest, and an X25519 key, which signs nothing. */
const ED25519 = Buffer.from(
  'MIIBLDCB36ADAgECAhQvPCUzlrxQZEGf4euHr2v+DRQ3KTAFBgMrZXAwDDEKMAgGA1UEAwwBeDAeFw0yNjExMjIxNjUwNTJaFw0yNjEyMjIxNjUwNTJaMAwxCjAIBgNVBAMMAXgwKjAFBgMrZXADIQCxdk03IfO2/vA4kTF3mRyB7XV0DGRm6CaNFBh3eq7+KKNTMFEwHQYDVR0OBBYEFB8CmiatrryxLlvm+em1rcga1fVBMB8GA1UdIwQYMBaAFB8CmiatrryxLlvm+em1rcga1fVBMA8GA1UdEwEB/wQFMAMBAf8wBQYDK2VwA0EAnhMB+PKsQx42ta6pMIBRvi/Pxse2RRC9N+lhY2MvnVpmvKyf+vsbTG7ftUTkABYLNGkh3VI0CMXDWBW26sajCg==',
  'base64',
);
const X25519 = Buffer.from(
  'MIHSMIGFAhQdlPT3Q0xN6tk4HxQhAUnuiGsCvDAFBgMrZXAwDDEKMAgGA1UEAwwBeDAeFw0yNjExMjIxNjUwNTJaFw0yNjEyMjIxNjUwNTJaMAwxCjAIBgNVBAMMAXkwKjAFBgMrZW4DIQDDhGDWUmrI39TBqPQ27LeQYI2YWWLBmGyJX9KSar0caTAFBgMrZXADQQB4XJWdrX71rIfwc4VNttrhjd9mNc9J8jvtgqZ63SBLUiVyzKSwNQ9szPpyKJbk43GeRKN6dd3KM6+9erDqn2oM',
  'base64',
);
/** The OID of the key in the Ed25519 certificate (its last but one), changed to one that nobody knows. */
const UNKNOWN_KEY = ((): Buffer => {
  const bent = Buffer.from(ED25519);
  const oid = Buffer.from('06032b6570', 'hex');
  const at = bent.lastIndexOf(oid, bent.lastIndexOf(oid) - 1);
  bent.writeUInt8(0x01, at + oid.length - 1);
  return bent;
})();

const sha256 = (data: Buffer | string): Buffer => createHash('sha256').update(data).digest();
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(TAG.sequence, ...parts);
const set = (...parts: readonly Uint8Array[]): Buffer => der(TAG.set, ...parts);
const octets = (data: Uint8Array): Buffer => der(TAG.octets, data);
const one = derInteger(Buffer.of(1));

/** A granted TimeStampResp over DATA whose signed attributes fit everything, with a signature of zeros. */
function response(certificate: Buffer, signatureOid: string): Buffer {
  const imprint = sequence(sequence(derOid(SHA256)), octets(sha256(DATA)));
  const info = sequence(one, derOid('1.2.3.4'), imprint, one, der(TAG.time, Buffer.from('20261122170000Z')));
  const attribute = (oid: string, value: Buffer): Buffer => sequence(derOid(oid), set(value));
  const signer = sequence(
    one,
    sequence(),
    sequence(derOid(SHA256)),
    der(
      TAG.context0,
      attribute('1.2.840.113549.1.9.3', derOid(TST_INFO)),
      attribute('1.2.840.113549.1.9.4', octets(sha256(info))),
      attribute('1.2.840.113549.1.9.16.2.47', sequence(sequence(sequence(octets(sha256(certificate)))))),
    ),
    sequence(derOid(signatureOid)),
    octets(Buffer.alloc(64)),
  );
  const content = sequence(derOid(TST_INFO), der(TAG.context0, octets(info)));
  const signed = sequence(one, set(), content, der(TAG.context0, certificate), set(signer));
  const token = sequence(derOid('1.2.840.113549.1.7.2'), der(TAG.context0, signed));
  return sequence(sequence(derInteger(Buffer.of(0))), token);
}

const pem = (certificate: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64')}\n-----END CERTIFICATE-----\n`;

describe('a timestamp that was made to break its verifier', () => {
  it.each<[string, Buffer, string]>([
    ['an Ed25519 key and a signature with a digest', ED25519, '1.2.840.113549.1.1.11'],
    ['an Ed25519 key and a signature of zeros', ED25519, '1.3.101.112'],
    ['a key that signs nothing', X25519, '1.2.840.10045.4.3.2'],
    ['a key of an unknown kind', UNKNOWN_KEY, '1.2.840.10045.4.3.2'],
  ])('is invalid with %s', (_, certificate, signatureOid) => {
    const judge = (): unknown =>
      openTimestamp(response(certificate, signatureOid), { data: DATA, authorities: [pem(ED25519)] });
    expectCode(judge, 'timestamp_invalid');
  });
});
