import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLogVerifier, type LogVerdict } from '../../../agent/verify/log-verifier.ts';
import { signCheckpoint } from '../../../agent/wire/checkpoint.ts';
import { cosign } from '../../../agent/wire/cosignature.ts';
import { encodeNote, parseNote } from '../../../agent/wire/note.ts';
import { alertBody, makeAlertLog, makeLog, type SampleLog } from '../../support/sample-log.ts';
import { makeTrust, NOW, signerFrom } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const device = trust.keys['device']!;
const SIZE = 12;
const log = makeAlertLog(trust, SIZE - 1);

function checkpoint(
  size: number,
  o: { of?: SampleLog; cosigned?: number; signer?: typeof device; origin?: string } = {},
) {
  const { of = log, signer = device, origin = of.binding.origin } = o;
  const root = Buffer.from(of.rootAt(size), 'hex');
  const note = signCheckpoint({ origin, size, root, extensions: [] }, signer);
  if (o.cosigned === undefined) return note;
  const { text, signatures } = parseNote(note);
  const line = cosign(text, trust.root.root.witness_name, trust.keys['witness']!, o.cosigned);
  return encodeNote({ text, signatures: [...signatures, line] });
}

function verify(lines: readonly string[], checkpoints: readonly string[]): LogVerdict {
  const verifier = createLogVerifier({ root: trust.root.root, checkpoints });
  for (const line of lines) verifier.push(line);
  return verifier.finish();
}

describe('checkpoints beside a log', () => {
  it('anchor what lies below the largest cosigned one, whatever their order', () => {
    const notes = [checkpoint(9), checkpoint(7, { cosigned: NOW }), checkpoint(3, { cosigned: NOW + 9 })];
    const expected = {
      ok: true,
      checkpoints: 3,
      witnessed: { size: 7, at: NOW },
      ranges: [
        { from_seq: 0, to_seq: 7, range: 'witnessed=1' },
        { from_seq: 7, to_seq: SIZE, range: 'unanchored' },
      ],
    };
    expect(verify(log.lines, notes)).toMatchObject(expected);
    expect(verify(log.lines, notes.toReversed())).toMatchObject(expected);
  });

  it('find a Central Command that cosigned one history for one auditor and another for the other', () => {
    const told = makeLog(trust);
    while (told.lines.length < SIZE) told.add('alert', alertBody(1_000 + told.lines.length));
    const [mine, theirs] = [checkpoint(SIZE, { cosigned: NOW }), checkpoint(SIZE, { of: told, cosigned: NOW })];
    // Each alone is whole: only held against the other do they show it.
    expect(verify(log.lines, [mine]).ok).toBe(true);
    expect(verify(told.lines, [theirs]).ok).toBe(true);
    const found = verify(log.lines, [mine, theirs]);
    expect(found).toMatchObject({ ok: false, code: 'log_root_mismatch', seq: SIZE - 1 });
    expect(found.sentence).toContain(`the cosigned checkpoint of ${SIZE} entries`);
    expect(verify(told.lines, [theirs, mine])).toMatchObject({ ok: false, code: 'log_root_mismatch' });
  });

  it('give the latest time of several at one size', () => {
    const notes = [NOW + 5, NOW + 9, NOW].map((cosigned) => checkpoint(SIZE, { cosigned }));
    expect(verify(log.lines, notes)).toMatchObject({
      witnessed: { size: SIZE, at: NOW + 9 },
      ranges: [{ from_seq: 0, to_seq: SIZE, range: 'witnessed=1' }],
    });
  });

  it('anchor nothing where nobody cosigned them, and still hold the log to its own word', () => {
    expect(verify(log.lines, [checkpoint(9)])).toMatchObject({ ok: true, witnessed: null });
    expect(verify(log.lines.slice(0, 8), [checkpoint(9)])).toMatchObject({ code: 'log_truncated', seq: 8 });
  });

  it.each([
    ['of another log', 'checkpoint_mismatch', checkpoint(5, { origin: 'logs.northern-it.example/other/1' })],
    ['by another key', 'signature_invalid', checkpoint(5, { signer: signerFrom('stranger') })],
    ['with a changed root', 'signature_invalid', checkpoint(5).replace(/\n5\n./, '\n5\nA')],
    ['with another size', 'signature_invalid', checkpoint(5).replace('\n5\n', '\n6\n')],
    ['that is none', 'checkpoint_mismatch', 'nonsense'],
  ])('%s end the verification before the first entry counts', (_, code, note) => {
    expect(verify(log.lines, [checkpoint(3), note])).toMatchObject({ ok: false, code, seq: null, checkpoints: 0 });
  });

  it('find any log that was cut below them or rewritten below them, and no other', () => {
    const size = fc.integer({ min: 1, max: SIZE });
    fc.assert(
      fc.property(size, size, size, fc.boolean(), (at, cut, fork, rewrite) => {
        const notes = [checkpoint(at, { cosigned: NOW })];
        const other = rewrite ? forkedAt(fork) : log;
        const verdict = verify(other.lines.slice(0, cut), notes);
        if (cut < at) expect(verdict).toMatchObject({ ok: false, code: 'log_truncated', seq: cut });
        else if (rewrite && fork < at) expect(verdict).toMatchObject({ code: 'log_root_mismatch', seq: at - 1 });
        else expect(verdict.ok).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

/** The same log up to `fork` and as long as the other, with other entries from there: signed by the stolen key. */
function forkedAt(fork: number): SampleLog {
  const other = makeAlertLog(trust, fork - 1);
  while (other.lines.length < SIZE) {
    other.add('alert', {
      code: 'disk_low',
      state: 'cleared',
      severity: 'low',
      sentence: 'All is well.',
      remedy: 'none',
      details: {},
    });
  }
  return other;
}
