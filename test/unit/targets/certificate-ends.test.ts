import { describe, expect, it } from 'vitest';
import {
  CERTIFICATE_FORGOTTEN_S,
  currentCertificates,
  endingSentence,
  endingSeverity,
  noteCertificate,
  type KnownCertificates,
} from '../../../agent/targets/certificate-ends.ts';

const NOW = 1_780_315_200;
const DAY = 86_400;
const shown = (days: number, pinned = false) => ({ ends: NOW + days * DAY, met: NOW, pinned });

describe('a certificate of a target', () => {
  it.each([
    [300, null],
    [30, null],
    [29.99, 'low'],
    [7, 'low'],
    [6.99, 'high'],
    [0, 'high'],
    [-400, 'high'],
  ] as const)('that ends in %d days is %s', (days, severity) => {
    expect(endingSeverity(shown(Math.round(days * 1_000) / 1_000), NOW)).toBe(severity);
  });

  it('whose key is pinned never becomes urgent: contact goes on after its end, and the sentence says so', () => {
    expect([29, 6, -400].map((days) => endingSeverity(shown(days, true), NOW))).toEqual(['low', 'low', 'low']);
    expect(endingSeverity(shown(31, true), NOW)).toBeNull();
    expect(endingSentence(shown(6, true))).toContain('contact goes on');
    expect(endingSentence(shown(6))).toContain('there is no contact');
  });

  it('is named by the day of its end alone', () => {
    expect(endingSentence({ ends: Date.UTC(2026, 11, 3, 23, 59) / 1_000, met: NOW, pinned: false })).toContain(
      'ends on 2026-12-03:',
    );
  });
});

describe('what is known of certificates', () => {
  const known: KnownCertificates = { 'srv-1': shown(10), 'srv-2': shown(300) };

  it('is written when an end or a pin is new, and once a day while nothing is', () => {
    const same = { ends: NOW + 10 * DAY, pinned: false };
    expect(noteCertificate(known, 'srv-1', same, NOW + DAY - 1)).toBe(known);
    expect(noteCertificate(known, 'srv-1', same, NOW + DAY)['srv-1']).toEqual({ ...same, met: NOW + DAY });
    expect(noteCertificate(known, 'srv-1', { ...same, pinned: true }, NOW)['srv-1']?.pinned).toBe(true);
    expect(noteCertificate(known, 'srv-1', { ends: NOW, pinned: false }, NOW)['srv-1']?.ends).toBe(NOW);
    // A clock that went back is no reason to count an old contact as a new one for ever.
    expect(noteCertificate(known, 'srv-1', same, NOW - DAY)['srv-1']?.met).toBe(NOW - DAY);
    expect(noteCertificate(known, 'constructor', same, NOW)).toMatchObject({ constructor: same, ...known });
  });

  it('goes with a target that the list in force does not name, and not before there was a list', () => {
    expect(currentCertificates(known, ['srv-2'], NOW)).toEqual({ 'srv-2': known['srv-2'] });
    expect(currentCertificates(known, [], NOW)).toEqual({});
    expect(currentCertificates(known, null, NOW)).toEqual(known);
  });

  it('goes where the target was not met for 30 days, whatever its certificate said', () => {
    expect(currentCertificates(known, null, NOW + CERTIFICATE_FORGOTTEN_S - 1)).toEqual(known);
    expect(currentCertificates(known, null, NOW + CERTIFICATE_FORGOTTEN_S)).toEqual({});
  });
});
