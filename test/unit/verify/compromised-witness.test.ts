// Whoever has the device key and the witness's key can write a suffix anew and have it cosigned. Only what lies outside both finds it.
import { describe, expect, it } from 'vitest';
import { createLogVerifier, type LogVerdict } from '../../../agent/verify/log-verifier.ts';
import { encodeAnchorLine, parseAnchors, type AnchorLine } from '../../../agent/wire/anchor-line.ts';
import { signCheckpoint } from '../../../agent/wire/checkpoint.ts';
import { cosign } from '../../../agent/wire/cosignature.ts';
import { encodeNote, parseNote } from '../../../agent/wire/note.ts';
import { alertBody, makeAlertLog, type SampleLog } from '../../support/sample-log.ts';
import { makeTrust, NOW } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const SIZE = 12;
const FORK = 7;
const honest = makeAlertLog(trust, SIZE - 1);
/** As long as the honest log, and another one from FORK on; all of it signed with the device's own key. */
const rewritten = makeAlertLog(trust, FORK - 1);
while (rewritten.lines.length < SIZE) rewritten.add('alert', { ...alertBody(0), state: 'cleared' });

const rootOf = (log: SampleLog, size: number): string => log.rootAt(size);

function cosigned(log: SampleLog, size: number): string {
  const checkpoint = { origin: log.binding.origin, size, root: Buffer.from(rootOf(log, size), 'hex'), extensions: [] };
  const { text, signatures } = parseNote(signCheckpoint(checkpoint, trust.keys['device']!));
  const witness = cosign(text, trust.root.root.witness_name, trust.keys['witness']!, NOW);
  return encodeNote({ text, signatures: [...signatures, witness] });
}

/** What the site's syslog kept of the honest log, read back. */
const keptBySyslog = (size: number): AnchorLine[] => {
  const line = encodeAnchorLine({ origin: honest.binding.origin, size, root: rootOf(honest, size) });
  return parseAnchors(`<14>1 2026-06-01T10:00:00Z box agent - - - ${line}\n`, 'syslog');
};

function verify(log: SampleLog, anchors: readonly AnchorLine[]): LogVerdict {
  const verifier = createLogVerifier({ root: trust.root.root, checkpoints: [cosigned(log, SIZE)], anchors });
  for (const line of log.lines) verifier.push(line);
  return verifier.finish();
}

describe('a log that was written anew with the stolen keys of its device and its witness', () => {
  it('verifies where nobody brings anything from outside, which is why the range says that one operator alone vouches', () => {
    expect(verify(rewritten, [])).toMatchObject({
      ok: true,
      ranges: [{ from_seq: 0, to_seq: SIZE, range: 'witnessed=1' }],
    });
  });

  it('is found by an anchor from outside, at the entry up to which the anchor reaches', () => {
    for (const size of [FORK + 1, SIZE]) {
      expect(verify(rewritten, keptBySyslog(size))).toMatchObject({
        ok: false,
        code: 'log_root_mismatch',
        seq: size - 1,
      });
    }
  });

  it('is not found by an anchor from before it was written anew, and its entries since are vouched for once only', () => {
    expect(verify(rewritten, keptBySyslog(FORK))).toMatchObject({
      ok: true,
      ranges: [
        { from_seq: 0, to_seq: FORK, range: 'witnessed>=2' },
        { from_seq: FORK, to_seq: SIZE, range: 'witnessed=1' },
      ],
    });
  });

  it('differs from the honest log, which the same anchor vouches for', () => {
    expect(verify(honest, keptBySyslog(SIZE))).toMatchObject({
      ok: true,
      ranges: [{ from_seq: 0, to_seq: SIZE, range: 'witnessed>=2' }],
    });
  });
});
