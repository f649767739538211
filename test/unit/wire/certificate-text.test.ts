import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { pemCertificates } from '../../../agent/wire/schemas/primitives.ts';

describe('certificates as text', () => {
  const schema = pemCertificates(8_192);
  const certificate = (body: string): string => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`;

  it('one certificate and a chain are taken', () => {
    expect(v.is(schema, certificate('MIIB\nabc='))).toBe(true);
    expect(v.is(schema, certificate('MIIB') + certificate('MIIC'))).toBe(true);
  });

  it.each([
    ['a private key', '-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n'],
    ['text before it', `subject=x\n${certificate('MIIB')}`],
    ['text after it', `${certificate('MIIB')}x`],
    ['carriage returns', certificate('MIIB').replaceAll('\n', '\r\n')],
    ['no body', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'],
  ])('%s is refused', (_what, text) => {
    expect(v.is(schema, text)).toBe(false);
  });

  it('8,000 hostile characters are refused without trying every way to split them', () => {
    // With a pattern whose parts overlap this would not end within the life of the test run.
    for (const line of ['A\n', 'AB', 'A=\n', '-----BEGIN CERTIFICATE-----\nA\n']) {
      const text = `-----BEGIN CERTIFICATE-----\n${line.repeat(Math.floor(8_000 / line.length))}!`;
      expect(v.is(schema, text)).toBe(false);
    }
  });
});
