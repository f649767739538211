// Several signed notes in one text file: one after the other, with an empty line between them.
import { AgentError } from '../errors/agent-error.ts';
import { parseNote } from './note.ts';

export function joinNotes(notes: readonly string[]): string {
  return notes.join('\n');
}

/**
 * Takes such a file apart. Good for notes whose text holds no empty line, as checkpoints are.
 *
 * @throws note_invalid
 */
export function splitNotes(file: string, place?: string): string[] {
  if (file === '') return [];
  const parts = file.split('\n\n');
  const notes: string[] = [];
  for (let i = 0; i < parts.length; i += 2) {
    const last = i + 2 >= parts.length;
    const note = `${parts[i] ?? ''}\n\n${parts[i + 1] ?? ''}${last ? '' : '\n'}`;
    if (note.startsWith('\n')) {
      const options = place === undefined ? {} : { place };
      throw new AgentError('note_invalid', 'there is more than one empty line between two notes', options);
    }
    parseNote(note, place);
    notes.push(note);
  }
  return notes;
}
