// One log record as one readable line. Pure.

export type Level = 'debug' | 'info' | 'warn' | 'error';

/** sd-daemon(3): what `journalctl -p warning` filters by. */
const PRIORITY: Readonly<Record<Level, number>> = { debug: 7, info: 6, warn: 4, error: 3 };

/** A longer value is cut: one line stays below journald's 48 KiB, whatever a target answers. */
const MAX_VALUE_CHARS = 2_000;

/** Control, bidirectional and line-separating characters: they could forge a line or hide one. */
// eslint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/gu;
const SHORT_ESCAPE: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escapeUnsafe(text: string): string {
  return text.replace(UNSAFE, (c) => SHORT_ESCAPE[c] ?? `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
}

function cut(text: string): string {
  return text.length <= MAX_VALUE_CHARS ? text : `${text.slice(0, MAX_VALUE_CHARS)}…(${text.length} characters)`;
}

function formatValue(value: string | number | boolean | null): string {
  if (typeof value !== 'string') return String(value);
  const escaped = escapeUnsafe(cut(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"'));
  return /^[^\s="\\]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

/** `phrase key=value key="value with spaces"`; never more than one line, never two fields where one was given. */
export function formatLine(phrase: string, fields: Readonly<Record<string, string | number | boolean | null>>): string {
  const parts = [escapeUnsafe(cut(phrase))];
  for (const [key, value] of Object.entries(fields)) {
    parts.push(`${key.replace(/[^A-Za-z0-9_.-]/g, '_')}=${formatValue(value)}`);
  }
  return parts.join(' ');
}

/** The line as journald wants it: priority prefix, no time (journald has its own). */
export function formatJournalLine(
  level: Level,
  phrase: string,
  fields: Readonly<Record<string, string | number | boolean | null>>,
): string {
  return `<${PRIORITY[level]}>${formatLine(phrase, fields)}`;
}

/** The line for a terminal. */
export function formatTerminalLine(
  isoTime: string,
  level: Level,
  phrase: string,
  fields: Readonly<Record<string, string | number | boolean | null>>,
): string {
  return `${isoTime} ${level.padEnd(5)} ${formatLine(phrase, fields)}`;
}
