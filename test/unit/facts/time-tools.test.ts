import { describe, expect, it } from 'vitest';
import { parseChronyTracking, parseTimedatectl } from '../../../agent/facts/time-tools.ts';
import { fixture } from '../../support/fixture-facts.ts';

describe('chronyc -c tracking', () => {
  it('a chrony without a source is not synchronised and has no offset', () => {
    expect(parseChronyTracking(fixture('chrony/not-synchronised.csv'))).toEqual({
      synchronized: false,
      offsetMs: null,
      stratum: null,
    });
  });

  it('a chrony with a reference gives stratum and offset', () => {
    expect(parseChronyTracking(fixture('chrony/local-reference.csv'))).toEqual({
      synchronized: true,
      offsetMs: 0,
      stratum: 8,
    });
  });

  it('a slow clock (positive in chrony) is behind: its offset is negative here', () => {
    const slow = fixture('chrony/local-reference.csv').split(',');
    slow[4] = '6.250000000';
    expect(parseChronyTracking(slow.join(','))?.offsetMs).toBe(-6250);
  });

  it.each<[number, string]>([
    [4, ''],
    [4, '1e300'],
    [4, 'Infinity'],
    [4, '0x10'],
    [4, '99999999999.0'],
    [2, ''],
    [2, '-1'],
    [2, '3.5'],
    [13, 'normal'],
  ])('a field %i that reads %j is refused and not taken for a number', (field, text) => {
    const fields = fixture('chrony/local-reference.csv').trim().split(',');
    fields[field] = text;
    expect(parseChronyTracking(fields.join(','))).toBeNull();
  });

  it.each(['', '506 Cannot talk to daemon', 'a,b,c', 'a,b,x,d,e,f,g,h,i,j,k,l,m,Normal', '<html></html>'])(
    'output that chronyc does not document is refused: %j',
    (text) => {
      expect(parseChronyTracking(text)).toBeNull();
    },
  );
});

describe('timedatectl show', () => {
  it('says yes or no', () => {
    expect(parseTimedatectl(fixture('timedatectl/synchronised.txt'))?.synchronized).toBe(true);
    expect(parseTimedatectl(fixture('timedatectl/not-synchronised.txt'))?.synchronized).toBe(false);
  });

  it('a text without the key, or with another value, says nothing', () => {
    for (const text of ['', 'NTP=yes\n', 'NTPSynchronized=\n', 'NTPSynchronized=maybe\n', 'xNTPSynchronized=yes\n']) {
      expect(parseTimedatectl(text)).toBeNull();
    }
  });
});
