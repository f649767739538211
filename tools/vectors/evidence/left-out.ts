// Bundles of a part of a log: roots of subtrees stand for the entries that are left out, and what is there is proven all the same.
import { leaf, treeRoot } from '../signing.ts';
import { bad, good, logOf, receiptFor, ROOT_SHA256, rootOf, whole, type EvidenceFile, type Whole } from './whole.ts';

const SIZE = 16;
const log = logOf(SIZE);

/** The row for entries from ≤ seq < to. */
function row(from: number, to: number, lines: readonly string[] = log): string {
  const root = treeRoot(lines.slice(from, to).map(leaf)).toString('hex');
  return `{"left_out":${to - from},"root":"${root}"}`;
}

const at = (...seqs: readonly number[]): string[] => seqs.map((seq) => log[seq]!);

const receipts = [receiptFor(log, 8), receiptFor(log)];
/** Entry 0, then 5 and 6, proven under receipts at 8 and 16. */
const MIDDLE = whole(
  'three entries of sixteen',
  [...at(0), row(1, 2), row(2, 4), row(4, 5), ...at(5, 6), row(7, 8), row(8, 16)],
  { receipts },
);
const END = whole(
  'the end of a log',
  [...at(0), row(1, 2), row(2, 4), row(4, 8), row(8, 12), row(12, 13), ...at(13, 14, 15)],
  {
    receipts: [receiptFor(log)],
  },
);
const SINGLES = whole('a line that was pruned, and the leaf that is left of it', [...at(0, 1), row(2, 3), ...at(3)]);

const goodPart = (part: Whole, size: number) => ({ ...good(part), size, root: rootOf(log.slice(0, size)) });

export function leftOutVectors(): EvidenceFile {
  const forged = logOf(SIZE, 'told otherwise', 5);
  const instead = (name: string, lines: readonly string[], code: Parameters<typeof bad>[3], seq: number | null) =>
    bad(name, MIDDLE, { lines }, code, seq);
  const [first, ...rest] = MIDDLE.lines as [string, ...string[]];
  const tail = [row(7, 8), row(8, 16)];
  const cases = [
    goodPart(MIDDLE, SIZE),
    goodPart(END, SIZE),
    goodPart(SINGLES, 4),
    instead('entry 0 is left out', [row(0, 1), ...rest], 'envelope_invalid', 0),
    instead(
      'three entries under one root',
      [...at(0), row(1, 2), row(2, 5), ...at(5, 6), ...tail],
      'left_out_invalid',
      2,
    ),
    instead(
      'a subtree that does not begin where one can',
      [...at(0), row(1, 3), row(3, 4), row(4, 5), ...at(5, 6), ...tail],
      'left_out_invalid',
      1,
    ),
    instead(
      'a line without the leaf before it',
      [...at(0), row(1, 2), row(2, 4), ...at(4).slice(1), row(4, 6), ...at(6), ...tail],
      'left_out_invalid',
      6,
    ),
    instead(
      'a receipt ends within what is left out',
      [...at(0), row(1, 2), row(2, 4), row(4, 5), ...at(5), row(6, 7), ...at(7), row(8, 16)].flatMap((line) =>
        line === log[7] ? [] : [line],
      ),
      'left_out_invalid',
      7,
    ),
    instead(
      'an entry that was written anew with the stolen key',
      [first, row(1, 2), row(2, 4), row(4, 5), forged[5]!, log[6]!, ...tail],
      'entry_prev',
      6,
    ),
    instead(
      'both entries were written anew with the stolen key',
      [first, row(1, 2), row(2, 4), row(4, 5), forged[5]!, forged[6]!, ...tail],
      'log_root_mismatch',
      7,
    ),
    instead(
      'a root in place of two entries is of other entries',
      [first, row(1, 2), row(2, 4, forged.toReversed()), row(4, 5), ...at(5, 6), ...tail],
      'log_root_mismatch',
      7,
    ),
    instead(
      'the entry in place of another one',
      [first, row(1, 2), row(2, 4), row(4, 5), ...at(6, 6), ...tail],
      'entry_seq',
      5,
    ),
    instead('the rest of the log is not there', [first, ...rest.slice(0, -1)], 'log_truncated', 8),
    instead(
      'the leaf before a line is another one',
      [first, row(1, 2), row(2, 4), row(4, 5, forged.toReversed()), ...at(5, 6), ...tail],
      'entry_prev',
      5,
    ),
    instead(
      'a row in another spelling',
      [first, row(1, 2).replace('"left_out"', ' "left_out"'), ...rest.slice(1)],
      'json_not_strict',
      1,
    ),
    instead('a row for nothing', [first, row(1, 2).replace(':1,', ':0,'), ...rest.slice(1)], 'envelope_invalid', 1),
  ];
  return { root_sha256: ROOT_SHA256, cases };
}
