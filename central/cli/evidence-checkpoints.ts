import { joinNotes } from '../../agent/wire/note-file.ts';
import { print, when, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly origin: string;
  readonly refused?: boolean;
}

/** The notes themselves, so that `compliance-agent evidence verify --checkpoints` reads them. */
export async function listCheckpoints(o: Options): Promise<void> {
  await withRecords(o, ({ store }) => {
    const { origin } = o;
    if (o.refused === true) {
      const refused = store.witness.refused(origin);
      const text = refused.map(({ at, code, body }) => `${when(at)}  ${code}\n${body}`).join('\n');
      print(o, { origin, refused }, text === '' ? 'the witness refused nothing' : text);
      return;
    }
    const checkpoints = store.witness.days(origin);
    if (o.json === true) print(o, { origin, checkpoints }, '');
    else process.stdout.write(joinNotes(checkpoints.map(({ note }) => note)));
  });
}
