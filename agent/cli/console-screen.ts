// What stands on the screen of the machine itself, for whoever is in front of it: who it is, how it is in words, the one thing
// that is in the way, the claim code while people have to claim it, and whether they may leave.
import encodeQr from 'qr';
import type { AgentStatus } from '../system/status-file.ts';
import type { Liveness } from './liveness.ts';
import type { ClaimOnScreen } from './shown-claim.ts';
import { ago, harmless, utc } from './style.ts';

export type Tone = 'plain' | 'title' | 'good' | 'bad' | 'wait' | 'dim';

export interface ScreenLine {
  readonly text: string;
  readonly tone: Tone;
}

export interface ConsoleView {
  readonly version: string;
  /** Unix seconds. */
  readonly now: number;
  /** `never`: no daemon has run with this state directory yet. */
  readonly liveness: Liveness | 'never';
  readonly status: AgentStatus | null;
  readonly claim: ClaimOnScreen | null;
  readonly isReset: boolean;
  /** Why the last stick was not taken, one line each; null where none was refused. */
  readonly stick: readonly string[] | null;
}

/** The state in words. */
export interface ConsoleWords {
  readonly headline: string;
  readonly tone: Tone;
  /** What is in the way and what to do about it, a paragraph each. */
  readonly more: readonly string[];
  /** True only once Central Command holds a report of this appliance and nothing is in the way now. */
  readonly mayLeave: boolean;
}

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

/** Less than this is no screen that anybody reads: it is drawn as if it were this large. */
const LEAST: ScreenSize = { columns: 40, rows: 12 };
const GAP = 2;
/** Narrower than this, text beside a code is no text any more. */
const LEAST_TEXT_COLUMNS = 30;

const NOT_RUNNING: Readonly<Record<Exclude<ConsoleView['liveness'], 'running'>, string>> = {
  never: 'The agent has not started yet.',
  stopped: 'The agent was stopped.',
  gone: 'The agent is not running.',
  silent: 'The agent does not answer.',
};

/** Whoever stands in front of an appliance cannot log in to it. */
const STAYS = [
  'If this stays for a minute, switch the machine off and on once. If it comes back, call whoever operates it.',
  'Where there is a shell: journalctl -u compliance-agent',
];

export function consoleWords({ liveness, status, claim, isReset, stick }: ConsoleView): ConsoleWords {
  const waits = (headline: string, ...more: string[]): ConsoleWords => ({
    headline,
    tone: 'wait',
    more,
    mayLeave: false,
  });
  if (isReset) return waits('This appliance is being reset.', 'It forgets who it was at the next start.');
  if (liveness !== 'running' || status === null) {
    const headline = liveness === 'running' ? NOT_RUNNING.never : NOT_RUNNING[liveness];
    return {
      headline,
      tone: liveness === 'never' ? 'wait' : 'bad',
      more: STAYS,
      mayLeave: false,
    };
  }
  const reason = status.blocking_reason;
  const inTheWay = reason === null ? [] : [`${reason.sentence} (${reason.code})`, `What to do: ${reason.remedy}.`];
  if (status.state === 'stopping' || status.state === 'stopped') return waits('The agent is stopping.');
  if (status.state !== 'enrolled') {
    const headline =
      claim !== null
        ? 'Waiting to be claimed.'
        : status.state === 'pending'
          ? 'Waiting to be confirmed.'
          : 'Not enrolled yet.';
    // What people just did comes first.
    return waits(headline, ...(stick === null ? [] : ['The stick was not taken.', ...stick]), ...inTheWay);
  }
  if (reason !== null) return { headline: 'Something is in the way.', tone: 'bad', more: inTheWay, mayLeave: false };
  if ((status.stored_size ?? 0) === 0) {
    return waits('Enrolled. Please wait.', 'The first report has not been accepted by Central Command yet.');
  }
  const more = ['YOU CAN LEAVE. Central Command holds what this appliance reported.'];
  return { headline: 'The agent works.', tone: 'good', more, mayLeave: true };
}

/** Breaks at blanks; a word that is longer than a line is cut. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').filter((part) => part !== '')) {
    for (let rest = word; rest !== '';) {
      const room = line === '' ? width : width - line.length - 1;
      if (rest.length <= room) {
        line = line === '' ? rest : `${line} ${rest}`;
        rest = '';
      } else if (line !== '') {
        lines.push(line);
        line = '';
      } else {
        lines.push(rest.slice(0, width));
        rest = rest.slice(width);
      }
    }
  }
  return line === '' ? lines : [...lines, line];
}

/** What is wrong or not known first, the rest as a count. */
function findingLines({ findings }: AgentStatus, room: number): ScreenLine[] {
  const order = ['fail', 'unknown'];
  const wrong = findings
    .filter(({ result }) => order.includes(result))
    .toSorted((a, b) => order.indexOf(a.result) - order.indexOf(b.result));
  const counted = ['pass', 'waived', 'not_applicable'].flatMap((result) => {
    const count = findings.filter((one) => one.result === result).length;
    return count === 0 ? [] : [`${count} ${result.replaceAll('_', ' ')}`];
  });
  const shown = wrong.slice(0, Math.max(0, room - 2));
  const lines = shown.map(({ check, target, result, sentence }): ScreenLine => ({
    text: `${result.padEnd(8)}${target === 'appliance' ? check : `${check} ${target}`}: ${sentence}`,
    tone: result === 'fail' ? 'bad' : 'wait',
  }));
  const left = wrong.length - shown.length;
  if (left > 0) counted.unshift(`${left} more not in order`);
  if (counted.length > 0) lines.push({ text: `checks: ${counted.join(', ')}`, tone: 'plain' });
  return lines;
}

const grouped = (text: string): string => (text.match(/.{1,4}/g) ?? []).join(' ');

function claimLines(claim: ClaimOnScreen): ScreenLine[] {
  return [
    { text: 'Scan the code, or type at your partner:', tone: 'plain' },
    { text: claim.alias, tone: 'title' },
    { text: `until ${utc(claim.until)}`, tone: 'dim' },
  ];
}

function headOf({ version, now, status }: ConsoleView, columns: number): ScreenLine[] {
  const id = status?.appliance_id ?? null;
  const name = id === null ? 'COMPLIANCE AGENT' : `${id} (site ${status?.site_id ?? '?'})`;
  const clock = `${utc(now).slice(0, 16)}Z`;
  const room = columns - clock.length - 1;
  return [
    { text: `${name.slice(0, room).padEnd(room)} ${clock}`, tone: 'title' },
    { text: `compliance-agent ${version}`, tone: 'dim' },
  ];
}

/**
 * One screen: at most `rows` lines of at most `columns` characters, no control characters. A code stands to the right of the text
 * where both fit; where not, the text alone names what to type.
 */
export function consoleScreen(
  view: ConsoleView,
  given: ScreenSize,
): { readonly left: readonly ScreenLine[]; readonly leftColumns: number; readonly right: readonly string[] } {
  const size = { columns: Math.max(given.columns, LEAST.columns), rows: Math.max(given.rows, LEAST.rows) };
  // Half blocks, dark on light: a phone reads it off a console.
  const drawn = view.claim === null ? [] : encodeQr(view.claim.url, 'ascii', { ecc: 'low' }).trimEnd().split('\n');
  const drawnColumns = drawn.length === 0 ? 0 : (drawn[0] ?? '').length;
  const fits = drawn.length <= size.rows - 1 && size.columns - drawnColumns - GAP >= LEAST_TEXT_COLUMNS;
  const right = fits ? drawn : [];
  const leftColumns = right.length === 0 ? size.columns : size.columns - drawnColumns - GAP;

  const { headline, tone, more } = consoleWords(view);
  const blank: ScreenLine = { text: '', tone: 'plain' };
  const paragraph = (text: string, as: Tone = 'plain'): ScreenLine[] =>
    wrapped(oneLine(text), leftColumns).map((line) => ({ text: line, tone: as }));
  const lines = headOf(view, leftColumns).flatMap(({ text, tone: as }) => [{ text: oneLine(text), tone: as }]);
  lines.push(blank, ...paragraph(headline, tone));
  for (const text of more) lines.push(...paragraph(text, tone === 'good' ? 'good' : 'plain'));
  const { status, claim, now } = view;
  if (claim !== null) lines.push(blank, ...claimLines(claim).flatMap(({ text, tone: as }) => paragraph(text, as)));
  if (status !== null && status.state !== 'enrolled' && status.fingerprint !== null) {
    lines.push(blank, ...paragraph('Compare this fingerprint:'), ...paragraph(grouped(status.fingerprint), 'title'));
  }
  if (status !== null && status.state === 'enrolled') {
    const answer = status.last_answer_at === null ? 'no answer yet' : `last answer ${ago(now, status.last_answer_at)}`;
    lines.push(blank, ...paragraph(`Central Command: ${answer}; ${status.stored_size ?? 0} entries stored there`));
    lines.push(blank);
    const findings = findingLines(status, size.rows - lines.length);
    lines.push(...findings.map(({ text, tone: as }) => ({ text: cut(oneLine(text), leftColumns), tone: as })));
  }
  return { left: lines.slice(0, size.rows).map((l) => ({ ...l, text: cut(l.text, leftColumns) })), leftColumns, right };
}

/** Tabs and line ends are blanks here, all other control characters are spelled out. */
const oneLine = (text: string): string => harmless(text.replaceAll(/[\t\n]/g, ' '));

const cut = (text: string, columns: number): string =>
  text.length <= columns ? text : `${text.slice(0, columns - 1)}…`;
