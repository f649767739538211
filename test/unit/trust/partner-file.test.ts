import { describe, expect, it } from 'vitest';
import { isAgentError } from '../../../agent/errors/agent-error.ts';
import type { ErrorCode } from '../../../agent/errors/codes.ts';
import { openPartnerFile } from '../../../agent/trust/partner-file.ts';
import { CA_1, CA_2, CA_3, LEAF } from '../../../tools/vectors/ca-certificates.ts';
import { expectCode } from '../../support/expect-code.ts';
import { partnerFile, pemOf, pinOf, type PartnerParts } from '../../support/partner-fixtures.ts';
import { makeTrust } from '../../support/trust-fixtures.ts';
import { vectorJson } from '../../support/vectors.ts';

const trust = makeTrust();
const place = 'partner.json';
const open = (text: string, rootSha256?: string) => openPartnerFile(text, { rootSha256, place });

describe("a partner's file", () => {
  it('is read back as it was written, with who signed it', () => {
    const { text, partner } = partnerFile();
    const opened = open(text, trust.root.digest);
    expect(opened.partner).toEqual(partner);
    expect([opened.root.digest, opened.persons]).toEqual([trust.root.digest, ['alice', 'bob']]);
    expect(opened.caPem).toBe(pemOf(CA_1, CA_2));
  });

  it('of another partner is refused by the digest of the root, however well it is signed', () => {
    const other = partnerFile({}, makeTrust({ seed: 'stranger' }));
    expect(open(other.text).partner.root_sha256).not.toBe(trust.root.digest);
    const error = expectCode(() => open(other.text, trust.root.digest), 'root_digest_mismatch');
    expect(error.place).toBe('partner.json: root');
  });

  const stranger = makeTrust({ seed: 'stranger' });
  it.each<[string, PartnerParts, ErrorCode, string]>([
    ['one person of the two', { signers: trust.signersOf('root').slice(0, 1) }, 'threshold_not_met', 'partner'],
    ['keys of another root', { signers: stranger.signersOf('root') }, 'signature_invalid', 'partner'],
    ['keys of operators', { signers: trust.signersOf('operator') }, 'signature_invalid', 'partner'],
    [
      'the digest of another root',
      { change: { root_sha256: stranger.root.digest } },
      'partner_invalid',
      'partner.root_sha256',
    ],
    ['the id of another partner', { change: { partner_id: 'southern-it' } }, 'partner_invalid', 'partner.partner_id'],
    ['one pin twice', { change: { ca_pins: [pinOf(CA_1), pinOf(CA_1)] } }, 'partner_invalid', 'partner.ca_pins'],
    ['a CA that no pin names', { caPem: pemOf(CA_3) }, 'partner_invalid', 'ca_pem'],
    ['a certificate that is no CA', { caPem: pemOf(CA_1, LEAF) }, 'partner_invalid', 'ca_pem'],
    [
      'a certificate of rubbish',
      { caPem: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' },
      'partner_invalid',
      'ca_pem',
    ],
    ['no certificate', { caPem: '' }, 'schema_invalid', 'ca_pem'],
  ])('with %s is not written, and the error names the place', (_what, parts, code, path) => {
    expect(expectCode(() => partnerFile(parts), code).place).toBe(`partner.json: ${path}`);
  });

  const good = partnerFile().text;
  it.each<[string, string, ErrorCode]>([
    ['a changed byte of what was signed', good.replace(/"payload":"ey/, '"payload":"e3'), 'signature_invalid'],
    ['an unknown field', good.replace('{"schema"', '{"extra":1,"schema"'), 'schema_invalid'],
    ['a field twice', good.replace('{"schema"', '{"schema":"x","schema"'), 'json_not_strict'],
    ['no root', good.replace(/"root":\{.*\},"ca_pem"/, '"ca_pem"'), 'schema_invalid'],
    ['a later version of the file', good.replace('partner-file/v1', 'partner-file/v2'), 'schema_invalid'],
    ['half of it', good.slice(0, good.length / 2), 'json_not_strict'],
    ['nothing', '', 'json_not_strict'],
    ['far too much', `${good}${' '.repeat(10)}${'x'.repeat(500_000)}`, 'json_too_large'],
  ])('with %s is refused', (_what, text, code) => {
    expect(text).not.toBe(good);
    expect(expectCode(() => open(text), code).place).toContain('partner.json');
  });

  it('with root and document exchanged is refused before anything of them counts', () => {
    const { partner, root, ...rest } = JSON.parse(good) as Record<string, unknown>;
    const swapped = JSON.stringify({ schema: rest['schema'], partner: root, root: partner, ca_pem: rest['ca_pem'] });
    expectCode(() => open(swapped), 'payload_type_mismatch');
  });
});

describe('the vectors of partner.json', () => {
  const file = vectorJson<{ root_sha256: string; cases: { name: string; text: string; expect: string }[] }>(
    'partner-file.json',
  );
  it.each(file.cases.map((one) => [one.name, one] as const))('come out as they must: %s', (_name, one) => {
    let came = 'ok';
    try {
      open(one.text, file.root_sha256);
    } catch (error) {
      if (!isAgentError(error)) throw error;
      came = error.code;
    }
    expect(came).toBe(one.expect);
  });
});
