import { describe, expect, it } from 'vitest';
import { checkpointLines } from '../../../agent/outputs/checkpoint-lines.ts';
import { formatJournalLine } from '../../../agent/system/log-line.ts';
import { openCosigned } from '../../../agent/trust/cosigned-checkpoint.ts';
import { parseAnchors } from '../../../agent/wire/anchor-line.ts';
import { trust, withLog, type OpenLog } from '../../support/evidence-fixtures.ts';
import { memoryLog, type MemoryLog } from '../../support/fakes/memory-log.ts';
import { appendFindings, ORIGIN, saveCheckpoint } from '../../support/prunable-log.ts';

function cosign({ store }: OpenLog, size: number) {
  saveCheckpoint(store, size);
  return store.checkpoints.latest(ORIGIN)!;
}

const journal = (log: MemoryLog): string =>
  log.records
    .map(({ level, phrase, fields }) =>
      formatJournalLine(level, phrase, fields as Record<string, string | number | boolean | null>),
    )
    .join('\n');

describe('the journal', () => {
  it('gets one line for each cosigned checkpoint that is larger than the one before', () =>
    withLog((open) => {
      appendFindings(open, 20);
      const log = memoryLog();
      const output = checkpointLines(log);
      for (const size of [5, 5, 12, 12, 21]) output.cosigned(cosign(open, size));
      expect(parseAnchors(journal(log), 'journal').map(({ size }) => size)).toEqual([5, 12, 21]);
      expect(parseAnchors(journal(log), 'journal').at(-1)).toEqual({ origin: ORIGIN, size: 21, root: open.log.root() });
    }));

  it('gets with it the whole note, which proves the line to whoever does not trust the keeper of the journal', () =>
    withLog((open) => {
      appendFindings(open, 20);
      const log = memoryLog();
      checkpointLines(log).cosigned(cosign(open, 21));
      const [, note = ''] = /note="?([A-Za-z0-9+/]+=*)"?$/.exec(journal(log)) ?? [];
      const source = Buffer.from(note, 'base64').toString();
      const spki = trust.keys['device']!.spki;
      const { checkpoint, witnessedAt } = openCosigned(trust.root.root, source, { origin: ORIGIN, spki });
      expect([checkpoint.size, witnessedAt === null]).toEqual([21, false]);
    }));
});
