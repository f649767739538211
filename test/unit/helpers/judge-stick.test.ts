import { describe, expect, it } from 'vitest';
import { judgeStick, standingLines, type JudgedFiles, type StickKnown } from '../../../agent/helpers/judge-stick.ts';

const ROOT = 'a'.repeat(64);
const good: JudgedFiles = {
  verdict: 'good',
  rootSha256: ROOT,
  partnerId: 'northwind-msp',
  centralUrl: 'https://central.example',
};
const used: JudgedFiles = { verdict: 'mistakes', lines: ['clinic.yaml:3: the token was used already'], onlyUsed: true };
const wrong: JudgedFiles = { verdict: 'mistakes', lines: ['clinic.yaml:2: a', 'root.json: b'], onlyUsed: false };
const north = { applianceId: 'north-1', siteId: 'north' };
const fresh: StickKnown = { enrolled: null, taken: null, anchored: null };

describe('what is done with a stick', () => {
  it.each<[string, JudgedFiles, Partial<StickKnown>, string]>([
    ['good files are taken', good, {}, 'take'],
    ['good files of the partner whose image this is are taken', good, { anchored: ROOT }, 'take'],
    ['a corrected stick is taken in the place of an earlier one', good, { taken: 'earlier' }, 'take'],
    ['the same stick with a new token is taken again', good, { taken: 'this' }, 'take'],
    ['the stick that was taken is only told how things stand', used, { taken: 'this' }, 'report'],
    ['the stick of an enrolled appliance too', used, { taken: 'this', enrolled: north }, 'report'],
    ['a stick that was used elsewhere is refused', used, { taken: 'other' }, 'provision_invalid'],
    ['a stick with mistakes is refused', wrong, {}, 'provision_invalid'],
    ['mistakes are mistakes also where the stick was taken before', wrong, { taken: 'this' }, 'provision_invalid'],
    ['an empty stick is refused', { verdict: 'missing' }, {}, 'provision_missing'],
    ['another stick for an enrolled appliance is refused', good, { enrolled: north }, 'already_enrolled'],
    ['also one with mistakes, which are no matter then', wrong, { enrolled: north }, 'already_enrolled'],
    ['the root of another partner is refused', good, { anchored: 'b'.repeat(64) }, 'stick_other_partner'],
  ])('%s', (_, files, known, expected) => {
    const verdict = judgeStick(files, 'this', { ...fresh, ...known });
    expect(verdict.act === 'refuse' ? verdict.code : verdict.act).toBe(expected);
  });

  it('each mistake stands on a line of its own', () => {
    expect(judgeStick(wrong, 'this', fresh)).toMatchObject({ lines: ['clinic.yaml:2: a', 'root.json: b'] });
  });

  it('says who an enrolled appliance is, and what is in its way, in text that can be printed', () => {
    expect(standingLines({ enrolled: north, reason: null })).toEqual(['Enrolled as north-1 at site north.']);
    const reason = { code: 'x\u001b[2J', sentence: `a\r\nb${'c'.repeat(1_000)}`, remedy: 'wait' };
    const lines = standingLines({ enrolled: null, reason });
    expect(lines.join('')).toMatch(/^[\x20-\x7e]+$/);
    expect(lines.at(-1)).toBe('What to do: wait.');
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(600);
  });
});
