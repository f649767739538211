// `evidence checkpoints`: what the witness cosigned of the local log, in the form that `evidence verify --checkpoints` reads.
import { EXIT } from '../errors/exit-codes.ts';
import { joinNotes } from '../wire/note-file.ts';
import type { CliContext } from './deps.ts';
import { stateDirOf, withEnrolledStore } from './open-state.ts';
import { print } from './print.ts';

export async function evidenceCheckpoints(context: CliContext, options: { epoch?: number }): Promise<number> {
  return withEnrolledStore(context, stateDirOf(context), (store, identity) => {
    const epoch = options.epoch ?? identity.epoch;
    const origin = identity.origin.replace(/[0-9]+$/, String(epoch));
    const checkpoints = store.checkpoints.all(origin);
    if (context.json) {
      const rows = checkpoints.map(({ size, root, at, note }) => ({ size, root, at, note }));
      print(context, 'evidence-checkpoints', { origin, epoch, checkpoints: rows }, () => []);
    } else context.stdout.write(joinNotes(checkpoints.map(({ note }) => note)));
    return EXIT.ok;
  });
}
