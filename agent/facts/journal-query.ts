// Asks the journal, and reads journalctl's JSON.
import { runTool, Unreadable, type ProbeContext } from './probe.ts';

/** One field of an entry; a value that is no UTF-8 text comes as something else than a string. */
export type JournalEntry = Readonly<Record<string, unknown>>;

/** Pure: one JSON object a line. Null where a line is none. */
export function parseJournal(text: string): JournalEntry[] | null {
  const entries: JournalEntry[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return null;
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    entries.push(value as JournalEntry);
  }
  return entries;
}

/** The newest `lines` entries that match (journalctl(1)), with the named fields and journald's own. */
export async function queryJournal(
  context: ProbeContext,
  fields: readonly string[],
  lines: number,
  matches: readonly string[],
): Promise<JournalEntry[]> {
  const options = ['--quiet', '--no-pager', '--output=json', `--output-fields=${fields.join(',')}`, `--lines=${lines}`];
  let output: Buffer;
  try {
    output = await runTool(context, ['journalctl', ...options, ...matches]);
  } catch (error) {
    if (error instanceof Unreadable && /insufficient permissions/i.test(error.message)) {
      throw new Unreadable('denied', error.message, error);
    }
    throw error;
  }
  const entries = parseJournal(output.toString('utf8'));
  if (entries === null) throw new Unreadable('unparsable', 'the output of journalctl is not what it documents');
  return entries;
}
