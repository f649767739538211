// A PKCS#10 certification request (RFC 2986) for the TLS key, written out by hand: five nested DER elements cost less than
// an X.509 library in the daemon's memory. Central Command takes the key from it and chooses everything else itself.
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OBJECT_ID = 0x06;
const UTF8_STRING = 0x0c;
/** [0] IMPLICIT SET OF Attribute: present and empty. */
const ATTRIBUTES = 0xa0;

/** 2.5.4.3 */
const COMMON_NAME = Buffer.of(0x55, 0x04, 0x03);
/** 1.2.840.10045.4.3.2 (RFC 5758, section 3.2) */
const ECDSA_WITH_SHA256 = Buffer.of(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02);

/** DER in base64. `tlsKeyPem` holds a P-256 private key; `commonName` at most 64 characters (RFC 5280, upper bounds). */
export function makeCsr(tlsKeyPem: string, commonName: string): string {
  const key = createPrivateKey(tlsKeyPem);
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const attribute = der(SEQUENCE, der(OBJECT_ID, COMMON_NAME), der(UTF8_STRING, Buffer.from(commonName)));
  const info = der(
    SEQUENCE,
    der(INTEGER, Buffer.of(0)),
    der(SEQUENCE, der(SET, attribute)),
    spki,
    der(ATTRIBUTES, Buffer.alloc(0)),
  );
  const signature = sign('sha256', info, key);
  const request = der(
    SEQUENCE,
    info,
    der(SEQUENCE, der(OBJECT_ID, ECDSA_WITH_SHA256)),
    der(BIT_STRING, Buffer.of(0), signature),
  );
  return request.toString('base64');
}

/** Tag, length (short form, or one or two octets of long form), contents. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...head), content]);
}
