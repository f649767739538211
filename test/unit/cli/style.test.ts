import { describe, it, expect } from 'vitest';
import fc from 'fast-check';
import { ago, bytes, columns, duration, harmless, painter } from '../../../agent/cli/style.ts';

describe('painter', () => {
  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [true, { TERM: 'dumb' }, false],
  ])('on a terminal (%s) with the environment %j colours: %s', (isTTY, env, expected) => {
    expect(painter({ isTTY }, env)('red', 'x') !== 'x').toBe(expected);
  });
});

describe('harmless', () => {
  it('spells out what could act on a terminal or hide text', () => {
    expect(harmless('a\u001b[31mb\u0007c\rd\u202ee\u009bf')).toBe('a\\u001b[31mb\\u0007c\\u000dd\\u202ee\\u009bf');
    expect(harmless('Umlaute äöü, line\nand tab\t')).toBe('Umlaute äöü, line\nand tab\t');
  });

  it('leaves no control character in any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        // oxlint-disable-next-line no-control-regex
        expect(harmless(text)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
      }),
    );
  });
});

describe('columns', () => {
  it('aligns columns, pads before it paints, and leaves no blanks at the end', () => {
    const rows = columns(
      [
        ['a', 'bb', ''],
        ['aaa', 'b', 'c'],
      ],
      (text, column) => (column === 1 ? `<${text}>` : text),
    );
    expect(rows).toEqual(['a    <bb>', 'aaa  <b >  c']);
  });
});

describe('durations and sizes', () => {
  it.each([
    [0, '0 s'],
    [119, '119 s'],
    [120, '2 min'],
    [7_199, '119 min'],
    [7_200, '2 h'],
    [200_000, '2 d'],
  ])('says %i seconds as %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });

  it('says times before and after now', () => {
    expect([ago(100, 70), ago(100, 130)]).toEqual(['30 s ago', 'in 30 s']);
  });

  it.each([
    [0, '0 B'],
    [1_023, '1023 B'],
    [1_536, '1.5 KiB'],
    [5 * 1_048_576, '5.0 MiB'],
  ])('says %i bytes as %s', (count, text) => {
    expect(bytes(count)).toBe(text);
  });
});
