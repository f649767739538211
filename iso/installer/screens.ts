// What stands on the screen of the machine while the installer runs: 80 columns, 25 rows, for whoever is in front of it. Pure.
import { bigText } from './big-text.ts';
import { OBJECTIONS, type JudgedDisk } from './choose-disk.ts';
import type { DiskFacts } from './disk-facts.ts';

export const COLUMNS = 80;
export const ROWS = 25;
const MARGIN = '  ';
const WIDTH = COLUMNS - 2 * MARGIN.length;

export type Tone = 'plain' | 'title' | 'good' | 'bad' | 'wait';
export interface ScreenLine {
  readonly text: string;
  readonly tone: Tone;
}
export type Screen = readonly ScreenLine[];

export interface Branding {
  readonly product: string;
  readonly support: string;
}

export const countdownScreen = (
  branding: Branding,
  left: number,
  disk: DiskFacts,
  erases: string,
  warnings: readonly string[],
): Screen =>
  page(branding, String(left), 'wait', [
    `In ${left} seconds this disk is ERASED and the system is installed on it:`,
    '',
    `    ${describeDisk(disk)}`,
    '',
    erases === 'a finished install'
      ? 'It holds a FINISHED INSTALL: its evidence and keys will be gone for good.'
      : 'Everything that is on it now will be gone for good.',
    '',
    'Press any key to stop.',
    ...warnings.map((text) => `Not understood on the kernel command line: ${text}`),
  ]);

export const stoppedScreen = (branding: Branding): Screen =>
  page(branding, 'stopped', 'good', [
    'Nothing was changed.',
    '',
    'Press i to count down again, or p to switch the machine off.',
  ]);

export function refusedScreen(
  branding: Branding,
  problem: { readonly code: string; readonly sentence: string; readonly remedy: string },
  disks: readonly JudgedDisk[],
): Screen {
  const rows = disks.map(
    ({ disk, objection }) =>
      `    ${describeDisk(disk)}: ${objection === null ? 'could be used' : OBJECTIONS[objection]}`,
  );
  const fit = rows.slice(0, MOST_DISKS);
  return page(branding, 'not done', 'bad', [
    `Nothing was changed: ${problem.sentence}.`,
    '',
    `What to do: ${problem.remedy}.`,
    '',
    ...(rows.length === 0 ? [] : ['Disks of this machine:', ...fit]),
    ...(rows.length > fit.length ? [`    and ${rows.length - fit.length} more`] : []),
    '',
    `(${problem.code}) It looks again by itself.`,
  ]);
}
const MOST_DISKS = 5;

/** @param at number of the step that runs; those before it are done */
export const progressScreen = (branding: Branding, steps: readonly string[], at: number, disk: DiskFacts): Screen =>
  page(branding, `${Math.min(at + 1, steps.length)} of ${steps.length}`, 'wait', [
    `Installing on ${describeDisk(disk)}`,
    '',
    ...steps.map((doing, i) => `  ${i < at ? 'done' : i === at ? ' -> ' : '    '}  ${doing}`),
    '',
    'Leave the stick in and the power on. If the power fails, it begins again by itself.',
  ]);

export const failedScreen = (
  branding: Branding,
  problem: { readonly code: string; readonly sentence: string; readonly remedy: string },
  step: string | null,
): Screen =>
  page(branding, 'failed', 'bad', [
    ...(step === null ? [] : [`While: ${step}`, '']),
    `${problem.sentence}`,
    '',
    `What to do: ${problem.remedy}.`,
    '',
    `(${problem.code}) ${step === null ? '' : 'The disk counts as not installed. '}It begins again by itself.`,
  ]);

export const doneScreen = (branding: Branding, left: number): Screen =>
  page(branding, 'done', 'good', [
    'The system is installed.',
    '',
    'NOW TAKE THE STICK OUT.',
    '',
    `The machine switches itself off in ${left} seconds.`,
    'Switch it on again without the stick: its screen says what it needs next.',
  ]);

const describeDisk = ({ name, model, sizeBytes, serial }: DiskFacts): string =>
  [name, model, `${Math.round(sizeBytes / 1e9)} GB`, serial === '' ? '' : `serial ${serial}`]
    .filter((part) => part !== '')
    .map((part) => harmless(part).slice(0, 32))
    .join(', ');

function page(branding: Branding, big: string, tone: Tone, body: readonly string[]): Screen {
  const lines: ScreenLine[] = [
    { text: `${MARGIN}${harmless(branding.product)} - installer`, tone: 'title' },
    { text: '', tone: 'plain' },
    ...bigText(big, WIDTH).map((text) => ({ text: `${MARGIN}${text}`, tone })),
    { text: '', tone: 'plain' },
    ...body.flatMap((text) => wrapped(text)).map((text) => ({ text: `${MARGIN}${text}`, tone: 'plain' as const })),
  ];
  const foot: ScreenLine = { text: `${MARGIN}Support: ${harmless(branding.support)}`, tone: 'title' };
  const room = lines.slice(0, ROWS - 2);
  const filler = Array.from({ length: ROWS - 1 - room.length }, () => ({ text: '', tone: 'plain' as const }));
  return [...room, ...filler, foot].map((line) => ({ ...line, text: line.text.slice(0, COLUMNS).trimEnd() }));
}

/** Breaks at spaces, and keeps the indentation of the first line. */
function wrapped(text: string): readonly string[] {
  const [indent = ''] = /^ */.exec(text) ?? [];
  const lines: string[] = [];
  let line = indent;
  for (const word of harmless(text).trim().split(' ')) {
    if (line.trim() !== '' && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = indent;
    }
    line += (line === indent ? '' : ' ') + word;
  }
  return [...lines, line];
}

/** Names of disks come from their firmware: nothing in them may move the cursor. The console's font knows Latin letters. */
const harmless = (text: string): string => text.replace(/[^\x20-\x7e\u00a1-\u017f]/g, '?');
