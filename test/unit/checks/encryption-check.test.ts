import { describe, expect, it } from 'vitest';
import type { EncryptedVolume, EncryptionFacts } from '../../../agent/facts/encryption.ts';
import type { HeaderReading, LuksHeader } from '../../../agent/facts/luks-header.ts';
import { baseline, factSet, findingOf, HEALTHY, unreadable } from './sample-facts.ts';

const judge = (change: Partial<EncryptionFacts>) =>
  findingOf('encryption', { facts: factSet({ encryption: { ...HEALTHY.encryption, ...change } }) });
const healthyHeader: LuksHeader = {
  version: 2,
  cipher: 'aes-xts-plain64',
  keyBits: 512,
  keySlots: 2,
  tpm2: true,
  recoverySlots: 1,
};
const withHeader = (header: HeaderReading | 'unread'): Partial<EncryptionFacts> => ({
  headers: [{ device: 'sda2', header }],
});
const withVolume = (change: Partial<EncryptedVolume>): Partial<EncryptionFacts> => ({
  volumes: [
    ...HEALTHY.encryption.volumes,
    { mountPoints: ['/srv'], use: 'mounted', protection: 'luks', headers: ['sda2'], ...change },
  ],
});

describe('the encryption check', () => {
  it('passes encrypted volumes whose headers are as declared, with /boot left out', () => {
    const finding = judge({});
    expect([finding.result, finding.facts.volumes, finding.facts.volumes_ignored]).toEqual(['pass', 2, 1]);
  });

  it.each<[string, Partial<EncryptionFacts>, string]>([
    ['one volume lies in clear', withVolume({ protection: 'clear', headers: [] }), 'critical'],
    ['swap lies in clear', withVolume({ protection: 'clear', use: 'swap', mountPoints: [], headers: [] }), 'critical'],
    [
      'what is mounted at /boot is mounted somewhere else too',
      withVolume({ protection: 'clear', mountPoints: ['/boot', '/srv'], headers: [] }),
      'critical',
    ],
    ['a header is damaged', withHeader('damaged'), 'critical'],
    ['there is no recovery slot', withHeader({ ...healthyHeader, recoverySlots: 0 }), 'high'],
    ['the cipher is not declared', withHeader({ ...healthyHeader, cipher: 'aes-cbc-plain' }), 'high'],
    ['a volume is being re-encrypted', withHeader({ ...healthyHeader, cipher: 'in-transition' }), 'high'],
    ['the key is short', withHeader({ ...healthyHeader, keyBits: 256 }), 'high'],
    ['there are too many key slots', withHeader({ ...healthyHeader, keySlots: 5 }), 'medium'],
    ['it is LUKS1', withHeader({ ...healthyHeader, version: 1 }), 'medium'],
    ['the TPM is not used', withHeader({ ...healthyHeader, tpm2: false }), 'medium'],
  ])('fails where %s', (_what, change, severity) => {
    const finding = judge(change);
    expect([finding.result, finding.severity]).toEqual(['fail', severity]);
  });

  it.each<[string, Partial<EncryptionFacts>]>([
    ['a volume cannot be followed to its disk', withVolume({ protection: 'unidentified', headers: [] })],
    ['a volume is encrypted without a header', withVolume({ protection: 'other_crypt', headers: [] })],
    ['a header could not be read', withHeader('unread')],
    ['there is no header where there should be one', withHeader('none')],
    ['a header was not looked at', { headers: [] }],
    ['no volume was found', { volumes: [], headers: [] }],
    ['only /boot was found', { volumes: HEALTHY.encryption.volumes.slice(1, 2) }],
  ])('is unknown and never a pass where %s', (_what, change) => {
    expect(judge(change).result).toBe('unknown');
  });

  it('names no mount point in evidence', () => {
    const finding = judge(withVolume({ protection: 'clear', mountPoints: ['/home/dr-smith'], headers: [] }));
    expect(JSON.stringify(finding)).not.toContain('smith');
  });

  it('is unknown without root, and not applicable only where the baseline says so', () => {
    const facts = { ...factSet(), encryption: unreadable('encryption', 'denied') };
    expect(findingOf('encryption', { facts }).result).toBe('unknown');
    const none = baseline((text) =>
      text.replace(/^ {2}encryption:\n(?: {4}.*\n)+/m, '  encryption:\n    expected: none\n    reason: a test\n'),
    );
    expect(findingOf('encryption', { facts, baseline: none }).result).toBe('not_applicable');
  });
});
