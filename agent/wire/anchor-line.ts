// One line that says how far a log reached, for places that keep text: the syslog of the site, a page, a letter. Whoever keeps
// it can later hold the log to it. Pure.
import { AgentError } from '../errors/agent-error.ts';
import { parseCheckpoint } from './checkpoint.ts';

export interface AnchorLine {
  readonly origin: string;
  readonly size: number;
  /** Hex. */
  readonly root: string;
}

/** Anywhere in a line: what a syslog server puts in front or behind does not matter. */
const ANCHOR = /\bcheckpoint ([a-z0-9./-]{1,200}) (0|[1-9][0-9]{0,15}) ([0-9a-f]{64})(?![0-9a-f])/g;
/** The text of a checkpoint note within a file: three lines. */
const NOTE = /(?:^|\n)([a-z0-9./-]{1,200}\n(?:0|[1-9][0-9]{0,15})\n[A-Za-z0-9+/]{43}=\n)/g;

export const encodeAnchorLine = ({ origin, size, root }: AnchorLine): string => `checkpoint ${origin} ${size} ${root}`;

/**
 * All that a text says about logs: anchor lines, and checkpoint notes (their signatures are not looked at: the caller trusts
 * whoever kept the text).
 *
 * @throws anchor_invalid where it says nothing
 */
export function parseAnchors(text: string, place: string): AnchorLine[] {
  const unix = text.replaceAll('\r\n', '\n');
  const lines = [...unix.matchAll(ANCHOR)].map(([, origin = '', size, root = '']): AnchorLine => ({
    origin,
    size: Number(size),
    root,
  }));
  const notes = [...unix.matchAll(NOTE)].map(([, note = '']): AnchorLine => {
    const { origin, size, root } = parseCheckpoint(note, place);
    return { origin, size, root: root.toString('hex') };
  });
  const found = [...lines, ...notes].filter(({ size }) => Number.isSafeInteger(size));
  if (found.length === 0) throw new AgentError('anchor_invalid', 'the file says nothing about a log', { place });
  return found;
}
