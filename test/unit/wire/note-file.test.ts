import { describe, expect, it } from 'vitest';
import { signCheckpoint } from '../../../agent/wire/checkpoint.ts';
import { EMPTY_ROOT } from '../../../agent/wire/merkle.ts';
import { joinNotes, splitNotes } from '../../../agent/wire/note-file.ts';
import { expectCode } from '../../support/expect-code.ts';
import { signerFrom } from '../../support/trust-fixtures.ts';

const note = (size: number): string =>
  signCheckpoint({ origin: 'log.example/a/1', size, root: EMPTY_ROOT, extensions: [] }, signerFrom('device'));

describe('a file of notes', () => {
  it.each([0, 1, 2, 5])('of %i notes is read back byte for byte', (count) => {
    const notes = Array.from({ length: count }, (_, i) => note(i));
    expect(splitNotes(joinNotes(notes))).toEqual(notes);
  });

  it.each([
    ['that is cut', joinNotes([note(1), note(2)]).slice(0, -3)],
    ['without an empty line between two notes', note(1) + note(2)],
    ['with an empty line too many', `${note(1)}\n\n${note(2)}`],
    ['with an empty line at its end', `${note(1)}\n`],
    ['with other text', 'notes\n'],
    ['with carriage returns', note(1).replaceAll('\n', '\r\n')],
  ])('%s is refused', (_, file) => {
    expectCode(() => splitNotes(file), 'note_invalid');
  });
});
