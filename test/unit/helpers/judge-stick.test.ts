import { describe, expect, it } from 'vitest';
import {
  anchorOf,
  judgeStick,
  parseStanding,
  standingLines,
  type JudgedFiles,
  type StickKnown,
} from '../../../agent/helpers/judge-stick.ts';

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

  it.each<[string, Partial<Parameters<typeof anchorOf>[0]>, string | null]>([
    ['any root will do where nobody named one', { inPlace: () => null }, null],
    ['the configuration comes first', { configured: 'configured', kept: 'installer', taken: 'x' }, 'configured'],
    ['files that no stick brought are those of the installer', {}, 'in place'],
    ['files that a stick brought bind no later stick', { taken: 'x' }, null],
    [
      'the root of the installer binds also after a stick of the same partner was taken',
      { kept: 'installer', taken: 'x' },
      'installer',
    ],
  ])('%s', (_, known, expected) => {
    const nobody = { configured: null, kept: null, taken: null, inPlace: () => 'in place' };
    expect(anchorOf({ ...nobody, ...known })).toBe(expected);
  });

  it('with more mistakes than anybody reads says the first ones and how many are left', () => {
    const lines = Array.from({ length: 8_000 }, (_, n) => `clinic.yaml:${n + 1}: "x" is not a known key`);
    const verdict = judgeStick({ verdict: 'mistakes', lines, onlyUsed: false }, 'this', fresh);
    const said = verdict.act === 'refuse' ? verdict.lines : [];
    expect(said).toHaveLength(21);
    expect(said.at(-1)).toBe('and 7980 more mistakes');
  });

  it('whatever a daemon says of itself, what is written of it is short and can be printed', () => {
    const who = { applianceId: `\u001b[2Jn\r\n${'x'.repeat(100_000)}`, siteId: '\u0000' };
    const verdict = judgeStick(good, 'this', { ...fresh, enrolled: who });
    const text = verdict.act === 'refuse' ? verdict.lines.join('') : '\u001b';
    expect(text).toMatch(/^[\x20-\x7e]{1,1000}$/);
  });

  it.each<[string, string, ReturnType<typeof parseStanding>]>([
    ['nothing', 'null', null],
    ['no object', '"enrolled"', null],
    ['a number as its name', '{"appliance_id":1,"site_id":"north"}', null],
    ['what is cut off', '{"appliance_id":"north-1"', null],
    ['nobody yet', '{"appliance_id":null,"site_id":null,"blocking_reason":null}', { enrolled: null, reason: null }],
    [
      'a reason that says nothing',
      '{"appliance_id":"north-1","site_id":"north","blocking_reason":{}}',
      { enrolled: north, reason: null },
    ],
  ])('a status that holds %s is read as far as it says something', (_, text, expected) => {
    expect(parseStanding(text)).toEqual(expected);
  });
});
