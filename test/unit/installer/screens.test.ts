import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DiskFacts } from '../../../iso/installer/disk-facts.ts';
import { bigText } from '../../../iso/installer/big-text.ts';
import {
  countdownScreen,
  doneScreen,
  failedScreen,
  progressScreen,
  refusedScreen,
  stoppedScreen,
  type Screen,
} from '../../../iso/installer/screens.ts';
import { painted } from '../../../iso/installer/terminal.ts';

const branding = { product: 'Northern Watch', support: 'support@northern-it.example' };
const disk = (model = 'SAMSUNG MZVLB128', serial = 'S3X1'): DiskFacts => ({
  ...{ path: '/dev/nvme0n1', name: 'nvme0n1', sizeBytes: 128_035_676_160, transport: 'nvme', mmcType: null },
  ...{ isRemovable: false, isHotplug: false, isReadOnly: false, model, serial, mounts: [], labels: [], installs: [] },
});
const problem = {
  code: 'installer_no_disk',
  sentence: 'no disk of this machine is internal, large enough and free',
  remedy: 'look at the list',
};
const all = (one: DiskFacts, text: string): readonly Screen[] => [
  countdownScreen({ product: text, support: text }, 30, one, 'a finished install', [text]),
  countdownScreen(branding, 7, one, 'whatever is there', []),
  stoppedScreen(branding),
  refusedScreen(
    branding,
    { ...problem, sentence: text },
    Array.from({ length: 9 }, () => ({ disk: one, objection: 'unknown_connection' as const })),
  ),
  progressScreen(
    branding,
    Array.from({ length: 9 }, () => text),
    4,
    one,
  ),
  failedScreen(branding, { ...problem, sentence: text }, text),
  doneScreen(branding, 20),
];

describe('the screens of the installer', () => {
  it('have 25 rows of at most 80 columns, whatever disks are called and tools say', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 120 }), (text) => {
        for (const screen of all(disk(text, text), text)) {
          expect(screen.length).toBe(25);
          expect(Math.max(...screen.map((line) => line.text.length))).toBeLessThanOrEqual(80);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('let no name of a disk move the cursor', () => {
    const wild = all(disk('\x1b[2Jgone', '\r\nmore\x9b'), 'a\x1b[1;1Hb').flat();
    // eslint-disable-next-line no-control-regex
    expect(wild.filter(({ text }) => /[\x00-\x1f\x7f-\x9f]/.test(text))).toEqual([]);
  });

  it('say in big figures how long is left, and in words what is lost', () => {
    const text = countdownScreen(branding, 30, disk(), 'a finished install', []).map((line) => line.text);
    expect(text.slice(2, 7)).toEqual(bigText('30', 76).map((line) => `  ${line}`.trimEnd()));
    expect(text.join('\n')).toMatch(/FINISHED INSTALL[^]*Press any key to stop/);
    expect(text.join('\n')).toContain('nvme0n1, SAMSUNG MZVLB128, 128 GB, serial S3X1');
    expect(
      countdownScreen(branding, 30, disk(), 'whatever is there', [])
        .map((line) => line.text)
        .join(),
    ).not.toContain('FINISHED');
  });

  it('show figures twice as wide as words that would not fit otherwise', () => {
    expect(bigText('8', 76)[1]).toBe('██      ██');
    expect(bigText('stopped', 76)[1]?.startsWith('█      ')).toBe(true);
    expect(Math.max(...bigText('stopped', 76).map((line) => line.length))).toBeLessThanOrEqual(76);
  });

  it('have a glyph for every letter and figure that they show in big', () => {
    for (const word of ['0123456789', 'stopped', 'not done', 'failed', 'done', 'of']) {
      const columns = word.split('').map((letter) => bigText(letter, 80).join('').trim());
      expect(columns.filter((glyph, i) => glyph === '' && word[i] !== ' ')).toEqual([]);
    }
  });

  it('are painted over one another: from the top left corner, each line to its end, none scrolls', () => {
    const bytes = painted(doneScreen(branding, 20));
    expect(bytes.startsWith('\x1b[H')).toBe(true);
    expect(bytes.split('\x1b[K')).toHaveLength(26);
    expect(bytes.split('\r\n')).toHaveLength(25);
  });
});
