// Whole logs with checkpoints: what the log signed of itself, and what the witness saw, must be what is there.
import { ORIGIN } from '../samples-enrolment.ts';
import { NOW, ROOT } from '../samples-trust.ts';
import { noteLine } from '../log.ts';
import { hexDigest, vectorKey, type VectorKey } from '../signing.ts';
import { bad, device, good, logOf, ROOT_SHA256, rootOf, thief, whole, type EvidenceFile } from './whole.ts';

const lines = logOf(6);
const witness = vectorKey('witness');
const NO_HEAD = Buffer.alloc(0);

interface Change {
  readonly origin?: string;
  readonly root?: string;
  readonly log?: VectorKey;
  readonly witness?: VectorKey | null;
  /** What the cosignature is over, where it is not this checkpoint. */
  readonly cosigned?: string;
  /** When it was cosigned. */
  readonly time?: number;
  /** Of which log; as a rule the six entries. */
  readonly of?: readonly string[];
}

const textOf = (size: number, root: string, origin = ORIGIN): string =>
  `${origin}\n${size}\n${Buffer.from(root, 'hex').toString('base64')}\n`;

/** A note over the first `size` entries, signed by the log and cosigned by the witness, or as `change` says. */
export function checkpoint(size: number, change: Change = {}): string {
  const origin = change.origin ?? ORIGIN;
  const text = textOf(size, change.root ?? rootOf((change.of ?? lines).slice(0, size)), origin);
  const at = change.time ?? NOW;
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(at));
  const message = `cosignature/v1\ntime ${at}\n${change.cosigned ?? text}`;
  const by = change.witness === undefined ? witness : change.witness;
  const signatures = [
    noteLine(origin, 1, change.log ?? device, NO_HEAD, text),
    ...(by === null ? [] : [noteLine(ROOT.witness_name, 4, by, time, message)]),
  ];
  return `${text}\n${signatures.map((line) => `${line}\n`).join('')}`;
}

const COSIGNED = whole('six entries under a cosigned checkpoint', lines, { checkpoints: [checkpoint(6)] });
const SEVERAL = whole('three cosigned checkpoints', lines, {
  checkpoints: [checkpoint(1), checkpoint(4), checkpoint(6)],
});
const OWN = whole('a checkpoint that nobody cosigned', lines, { checkpoints: [checkpoint(6, { witness: null })] });
const STRANGER = whole('a checkpoint cosigned by a stranger, whose line is ignored', lines, {
  checkpoints: [checkpoint(6, { witness: thief })],
});

export function checkpointedVectors(): EvidenceFile {
  const rewritten = logOf(6, 'told otherwise', 3);
  const instead = (name: string, note: string, code: Parameters<typeof bad>[3], seq: number | null = null) =>
    bad(name, COSIGNED, { checkpoints: [note] }, code, seq);
  const cases = [
    good(COSIGNED),
    good(SEVERAL),
    good(OWN),
    good(STRANGER),
    bad('the last entry is cut off', COSIGNED, { lines: lines.slice(0, 5) }, 'log_truncated', 5),
    bad('the box was set back: half of the log is gone', SEVERAL, { lines: lines.slice(0, 3) }, 'log_truncated', 3),
    bad('the end was written anew with the stolen key', COSIGNED, { lines: rewritten }, 'log_root_mismatch', 5),
    bad(
      'the end was written anew after a checkpoint that still holds',
      SEVERAL,
      { lines: rewritten },
      'log_root_mismatch',
      3,
    ),
    instead('a checkpoint of another root', checkpoint(6, { root: hexDigest('another') }), 'log_root_mismatch', 5),
    instead('a checkpoint for more than there is', checkpoint(7, { root: hexDigest('more') }), 'log_truncated', 6),
    instead('a checkpoint of another log', checkpoint(6, { origin: ORIGIN.replace(/1$/, '2') }), 'checkpoint_mismatch'),
    instead('a checkpoint that a stranger signed for the log', checkpoint(6, { log: thief }), 'signature_invalid'),
    instead('a checkpoint that the witness alone signed', withoutLogLine(checkpoint(6)), 'signature_invalid'),
    instead(
      'the cosignature is of another size',
      checkpoint(6, { cosigned: textOf(5, rootOf(lines.slice(0, 5))) }),
      'cosignature_invalid',
    ),
    instead(
      'a size that was changed after it was signed',
      checkpoint(6).replace('\n6\n', '\n5\n'),
      'signature_invalid',
    ),
    instead('a hyphen for the dash', checkpoint(6).replaceAll('— ', '- '), 'note_invalid'),
    instead('a note without signatures', `${textOf(6, rootOf(lines))}\n`, 'note_invalid'),
    bad(
      'one of several checkpoints is of another root',
      SEVERAL,
      { checkpoints: [checkpoint(1), checkpoint(4, { root: hexDigest('another') }), checkpoint(6)] },
      'log_root_mismatch',
      3,
    ),
  ];
  return { root_sha256: ROOT_SHA256, cases };
}

function withoutLogLine(note: string): string {
  return note
    .split('\n')
    .filter((line) => !line.startsWith(`— ${ORIGIN} `))
    .join('\n');
}
