// A partner's file under the root of trust-fixtures, and ways to spoil it.
import { X509Certificate } from 'node:crypto';
import { encodePartnerFile } from '../../agent/trust/partner-file.ts';
import { signDocument } from '../../agent/wire/document.ts';
import { maxLineBytes } from '../../agent/wire/document.ts';
import { parseEnvelope, type Signer } from '../../agent/wire/dsse.ts';
import type { Partner } from '../../agent/wire/schemas/root.ts';
import { CA_1, CA_2 } from '../../tools/vectors/ca-certificates.ts';
import { spkiPin } from '../../agent/https/pin-check.ts';
import { makeTrust, NOW, PARTNER } from './trust-fixtures.ts';

/** Of nobody: what is sealed to it stays closed. */
export const RECIPIENT = 'age1v0rfprf00v0kxe3znlu8qmpfnd4ypzx9jmjr6qk5qkjx2aaxccwq3zkuaw';

export const certificate = (der: string): X509Certificate => new X509Certificate(Buffer.from(der, 'base64'));
export const pemOf = (...ders: string[]): string => ders.map((der) => certificate(der).toString()).join('');
export const pinOf = (der: string): string => spkiPin(certificate(der));

export interface PartnerParts {
  readonly change?: Partial<Partner>;
  readonly signers?: readonly Signer[];
  readonly caPem?: string;
}

/** @throws what encodePartnerFile throws, where the parts do not fit together */
export function partnerFile(o: PartnerParts = {}, trust = makeTrust()): { text: string; partner: Partner } {
  const partner: Partner = {
    schema: 'compliance-agent/partner/v1',
    partner_id: PARTNER,
    version: 1,
    issued_at: NOW,
    central_url: 'https://central.northern-it.example:8443',
    ca_pins: [pinOf(CA_1), pinOf(CA_2)],
    root_sha256: trust.root.digest,
    recovery_recipients: [RECIPIENT],
    branding: { product: 'Northern Watch', support: 'support@northern-it.example' },
    ...o.change,
  };
  const signers = o.signers ?? trust.signersOf('root');
  const root = parseEnvelope(trust.root.line, { maxBytes: maxLineBytes('root') });
  const text = encodePartnerFile(
    { partner: signDocument('partner', partner, signers), root, caPem: o.caPem ?? pemOf(CA_1, CA_2) },
    'partner.json',
  );
  return { text, partner };
}
