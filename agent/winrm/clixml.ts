// What PowerShell writes to a redirected stderr: objects as CLIXML (MS-PSRP 2.2.5), between them plain text of native
// programs. Progress, verbose and debug records are noise; errors are kept. Pure; never throws for what a host sends.
import { readXml, type XmlElement } from './xml.ts';

export interface ErrorStream {
  /** Text of error records, put together as PowerShell would have shown it; '' when there is none. */
  readonly errors: string;
  readonly warnings: string;
  /** What was no CLIXML: native programs, a host that speaks before it is set up. */
  readonly plain: string;
  /** True when CLIXML was there that could not be read (cut off by the output cap, for instance). */
  readonly damaged: boolean;
}

const MARK = '#< CLIXML';
const CLOSING = '</Objs>';
/** `_x000D__x000A_`: characters that XML or PowerShell do not write as they are. */
const ESCAPED = /_x([0-9A-Fa-f]{4})_/g;

export function readErrorStream(bytes: Buffer): ErrorStream {
  const text = new TextDecoder('utf-8').decode(bytes);
  const found = { errors: '', warnings: '', plain: '' };
  let damaged = false;
  let at = 0;
  for (;;) {
    const mark = text.indexOf(MARK, at);
    if (mark < 0) break;
    found.plain += text.slice(at, mark);
    const start = text.indexOf('<Objs', mark);
    if (start < 0 || text.slice(mark + MARK.length, start).trim() !== '') {
      at = mark + MARK.length;
      damaged = true;
      continue;
    }
    const closing = text.indexOf(CLOSING, start);
    const end = closing < 0 ? text.length : closing + CLOSING.length;
    // One mark may stand for several documents, one behind the other.
    at = closing < 0 ? end : documents(text, start, end, found);
    if (closing < 0 || at < 0) {
      damaged = true;
      at = end;
    }
  }
  found.plain += text.slice(at);
  return { ...found, plain: found.plain.trim(), damaged };
}

/** Reads documents from `start` on. The offset behind the last one, or -1 where one is broken. */
function documents(text: string, start: number, firstEnd: number, found: { errors: string; warnings: string }): number {
  let from = start;
  let end = firstEnd;
  for (;;) {
    try {
      const root = readXml(text.slice(from, end));
      for (const record of root.children) collect(record, found);
    } catch {
      return -1;
    }
    if (!text.startsWith('<Objs', end)) return end;
    const next = text.indexOf(CLOSING, end);
    if (next < 0) return -1;
    from = end;
    end = next + CLOSING.length;
  }
}

function collect(record: XmlElement, found: { errors: string; warnings: string }): void {
  const stream = record.attributes.get('S')?.toLowerCase();
  if (stream !== 'error' && stream !== 'warning') return;
  const text = record.name === 'S' ? unescape(record.text) : shown(record);
  if (stream === 'error') found.errors += text;
  else found.warnings += text;
}

/** An error record as an object: its ToString. */
function shown(record: XmlElement): string {
  const text = record.children.find((child) => child.name === 'ToString')?.text ?? '';
  return text === '' ? '' : `${unescape(text)}\n`;
}

function unescape(text: string): string {
  return text
    .replace(ESCAPED, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replaceAll('\r\n', '\n');
}
