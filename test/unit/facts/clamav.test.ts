import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exclusionsOf, parseDatabaseHeader } from '../../../agent/facts/clamav.ts';
import { databaseFile } from '../../support/clamav-database.ts';
import { fixture } from '../../support/fixture-facts.ts';

const text = fixture('clamav/daily-23182.header').trimEnd();
const padded = (header: string): Buffer => Buffer.from(header.padEnd(512, ' '));

describe('the header of a ClamAV database', () => {
  it('is read from a real one', () => {
    const builtAt = Date.UTC(2017, 2, 7, 13, 2, 26) / 1000;
    expect(parseDatabaseHeader(padded(text))).toEqual({ builtAt, version: 23_182, signatures: 1_741_572 });
  });

  it('is read whatever the moment of its building', () => {
    fc.assert(
      fc.property(fc.integer({ min: 946_684_800, max: 4_000_000_000 }), (builtAt) => {
        expect(parseDatabaseHeader(databaseFile(builtAt * 1000))?.builtAt).toBe(builtAt);
      }),
    );
  });

  it.each<[string, Buffer]>([
    ['a file that is too short', Buffer.from(text)],
    ['another kind of file', padded(text.replace('ClamAV-VDB', 'ClamAV-Diff'))],
    ['a field too few', padded(text.replace(':neo', ''))],
    ['no seconds', padded(text.replace(/:\d+$/, ':soon'))],
    ['two times that contradict each other', padded(text.replace(/:\d+$/, ':1788891746'))],
    ['a month that there is not', padded(text.replace('Mar', 'Mrz'))],
    ['nothing', Buffer.alloc(512)],
  ])('is refused: %s', (_what, bytes) => {
    expect(parseDatabaseHeader(bytes)).toBeNull();
  });
});

describe('exclusions of clamd.conf', () => {
  it('are the lines that keep something from being scanned, and no comment', () => {
    const config = [
      '# ExcludePath ^/commented/',
      'LogFile /var/log/clamav/clamav.log',
      'ExcludePath   ^/proc/ ',
      'ExcludePath ^/proc/',
      '\tOnAccessExcludePath /srv',
      'OnAccessExcludeUname clamav',
      'OnAccessExcludeRootUID no',
    ];
    expect(exclusionsOf(config.join('\n'))).toEqual([
      'ExcludePath ^/proc/',
      'OnAccessExcludePath /srv',
      'OnAccessExcludeUname clamav',
    ]);
    expect(exclusionsOf('OnAccessExcludeRootUID yes')).toEqual(['OnAccessExcludeRootUID yes']);
  });
});
